"""Asks barman what the exporters for Prometheus ask, and reads what they read; prints the metrics.

usage: prometheus_exporter.py BARMAN [OPTION...]

Any byte on stderr and any exit code but 0 (check: 0 or 1) is an error, as it is for them.
"""
import json
import subprocess
import sys
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest

BARMAN = sys.argv[1:]


def ask(*words, codes=(0,)):
    done = subprocess.run([*BARMAN, "-f", "json", *words], capture_output=True, text=True)
    if done.returncode not in codes or done.stderr:
        sys.exit(f"{words}: exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def moment(text):
    return datetime.strptime(text, "%Y%m%dT%H%M%S").timestamp()


def version():
    text = subprocess.run([*BARMAN, "-v"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return [int(part) for part in text.split()[0].split(".")]


registry = CollectorRegistry()


def gauge(name, *more):
    return Gauge(name, name, [*more, "server"], registry=registry)


up, total, failed, check_ok = (gauge(n) for n in ("barman_up", "barman_backups_total", "barman_backups_failed", "barman_check_ok"))
first, last, copy_time = (gauge(n) for n in ("barman_first_backup", "barman_last_backup", "barman_last_backup_copy_time"))
size, wal_size = (gauge(n, "number") for n in ("barman_backup_size", "barman_backup_wal_size"))

assert version() >= [2, 9], version()
for server in ask("list-server"):
    status = ask("status", server)[server]
    assert all({"description", "message"} <= set(item) for item in status.values()), status
    first.labels(server).set(moment(status["first_backup"]["message"]))
    last.labels(server).set(moment(status["last_backup"]["message"]))
    checks = ask("check", server, codes=(0, 1))[server]
    check_ok.labels(server).set(all(item["status"] == "OK" for item in checks.values()))
    backups = ask("list-backup", server)[server]
    done = [backup for backup in backups if backup["status"] == "DONE"]
    total.labels(server).set(len(backups))
    failed.labels(server).set(sum(backup["status"] == "FAILED" for backup in backups))
    for number, backup in enumerate(done, 1):
        size.labels(str(number), server).set(backup["size_bytes"])
        wal_size.labels(str(number), server).set(backup["wal_size_bytes"])
    shown = ask("show-backup", server, done[0]["backup_id"])[server]
    copy_time.labels(server).set(shown["base_backup_information"]["copy_time_seconds"])
    up.labels(server).set(1)

print(generate_latest(registry).decode(), end="")
