// libpq, loaded when the first of its functions is called. With the libraries that it needs in turn
// (Kerberos, LDAP, GnuTLS) loading it takes as long as all the rest of a short command: get-wal and
// put-wal, which never ask PostgreSQL anything, run once for each WAL segment.
//
// Each function here has the name and the type of libpq's own and hands the call on; so has the one
// that is asked of libssl, which nothing else here needs.
#include <dlfcn.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>

#include <string>

#include "base/error.h"

namespace {

constexpr const char* kLibrary = "libpq.so.5";

[[noreturn]] void throw_unusable() {
  const char* const reason = ::dlerror();
  throw barman::Error(barman::ErrorKind::connection,
                      std::string("cannot use ") + kLibrary + ": " +
                          (reason != nullptr ? reason : "unknown reason"),
                      "Install PostgreSQL's client library (package libpq5).");
}

void* find_symbol(const char* name) {
  static void* const library = ::dlopen(kLibrary, RTLD_LAZY | RTLD_LOCAL);
  void* const symbol = library != nullptr ? ::dlsym(library, name) : nullptr;
  if (symbol == nullptr) throw_unusable();
  return symbol;
}

// One variable for each function.
template <auto Function>
auto libpq(const char* name) {
  static const auto function = reinterpret_cast<decltype(Function)>(find_symbol(name));
  return function;
}

}  // namespace

extern "C" {

int PQbackendPID(const PGconn* conn) { return libpq<&PQbackendPID>("PQbackendPID")(conn); }
int PQcancel(PGcancel* cancel, char* errbuf, int errbufsize) {
  return libpq<&PQcancel>("PQcancel")(cancel, errbuf, errbufsize);
}
void PQclear(PGresult* res) { libpq<&PQclear>("PQclear")(res); }
PostgresPollingStatusType PQconnectPoll(PGconn* conn) {
  return libpq<&PQconnectPoll>("PQconnectPoll")(conn);
}
PGconn* PQconnectStart(const char* conninfo) {
  return libpq<&PQconnectStart>("PQconnectStart")(conninfo);
}
int PQconnectionNeedsPassword(const PGconn* conn) {
  return libpq<&PQconnectionNeedsPassword>("PQconnectionNeedsPassword")(conn);
}
PQconninfoOption* PQconninfo(PGconn* conn) { return libpq<&PQconninfo>("PQconninfo")(conn); }
void PQconninfoFree(PQconninfoOption* connOptions) {
  libpq<&PQconninfoFree>("PQconninfoFree")(connOptions);
}
PQconninfoOption* PQconninfoParse(const char* conninfo, char** errmsg) {
  return libpq<&PQconninfoParse>("PQconninfoParse")(conninfo, errmsg);
}
int PQconsumeInput(PGconn* conn) { return libpq<&PQconsumeInput>("PQconsumeInput")(conn); }
char* PQerrorMessage(const PGconn* conn) { return libpq<&PQerrorMessage>("PQerrorMessage")(conn); }
void PQfinish(PGconn* conn) { libpq<&PQfinish>("PQfinish")(conn); }
int PQflush(PGconn* conn) { return libpq<&PQflush>("PQflush")(conn); }
void PQfreeCancel(PGcancel* cancel) { libpq<&PQfreeCancel>("PQfreeCancel")(cancel); }
void PQfreemem(void* ptr) { libpq<&PQfreemem>("PQfreemem")(ptr); }
PGcancel* PQgetCancel(PGconn* conn) { return libpq<&PQgetCancel>("PQgetCancel")(conn); }
int PQgetCopyData(PGconn* conn, char** buffer, int async) {
  return libpq<&PQgetCopyData>("PQgetCopyData")(conn, buffer, async);
}
PGresult* PQgetResult(PGconn* conn) { return libpq<&PQgetResult>("PQgetResult")(conn); }
int PQgetisnull(const PGresult* res, int tup_num, int field_num) {
  return libpq<&PQgetisnull>("PQgetisnull")(res, tup_num, field_num);
}
int PQgetlength(const PGresult* res, int tup_num, int field_num) {
  return libpq<&PQgetlength>("PQgetlength")(res, tup_num, field_num);
}
char* PQgetvalue(const PGresult* res, int tup_num, int field_num) {
  return libpq<&PQgetvalue>("PQgetvalue")(res, tup_num, field_num);
}
char* PQhost(const PGconn* conn) { return libpq<&PQhost>("PQhost")(conn); }
int PQisBusy(PGconn* conn) { return libpq<&PQisBusy>("PQisBusy")(conn); }
int PQnfields(const PGresult* res) { return libpq<&PQnfields>("PQnfields")(res); }
int PQntuples(const PGresult* res) { return libpq<&PQntuples>("PQntuples")(res); }
int PQputCopyData(PGconn* conn, const char* buffer, int nbytes) {
  return libpq<&PQputCopyData>("PQputCopyData")(conn, buffer, nbytes);
}
int PQputCopyEnd(PGconn* conn, const char* errormsg) {
  return libpq<&PQputCopyEnd>("PQputCopyEnd")(conn, errormsg);
}
char* PQresStatus(ExecStatusType status) { return libpq<&PQresStatus>("PQresStatus")(status); }
char* PQresultErrorField(const PGresult* res, int fieldcode) {
  return libpq<&PQresultErrorField>("PQresultErrorField")(res, fieldcode);
}
char* PQresultErrorMessage(const PGresult* res) {
  return libpq<&PQresultErrorMessage>("PQresultErrorMessage")(res);
}
ExecStatusType PQresultStatus(const PGresult* res) {
  return libpq<&PQresultStatus>("PQresultStatus")(res);
}
int PQsendQuery(PGconn* conn, const char* query) {
  return libpq<&PQsendQuery>("PQsendQuery")(conn, query);
}
int PQsendQueryParams(PGconn* conn, const char* command, int nParams, const Oid* paramTypes,
                      const char* const* paramValues, const int* paramLengths,
                      const int* paramFormats, int resultFormat) {
  return libpq<&PQsendQueryParams>("PQsendQueryParams")(
      conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat);
}
int PQserverVersion(const PGconn* conn) { return libpq<&PQserverVersion>("PQserverVersion")(conn); }
PQnoticeProcessor PQsetNoticeProcessor(PGconn* conn, PQnoticeProcessor proc, void* arg) {
  return libpq<&PQsetNoticeProcessor>("PQsetNoticeProcessor")(conn, proc, arg);
}
PQnoticeReceiver PQsetNoticeReceiver(PGconn* conn, PQnoticeReceiver proc, void* arg) {
  return libpq<&PQsetNoticeReceiver>("PQsetNoticeReceiver")(conn, proc, arg);
}
int PQsocket(const PGconn* conn) { return libpq<&PQsocket>("PQsocket")(conn); }
void* PQsslStruct(PGconn* conn, const char* struct_name) {
  return libpq<&PQsslStruct>("PQsslStruct")(conn, struct_name);
}
// Of the library that libpq has loaded: the type of the pointer is its own.
int SSL_pending(const SSL* tls) { return libpq<&SSL_pending>("SSL_pending")(tls); }
ConnStatusType PQstatus(const PGconn* conn) { return libpq<&PQstatus>("PQstatus")(conn); }
char* PQuser(const PGconn* conn) { return libpq<&PQuser>("PQuser")(conn); }
unsigned char* PQunescapeBytea(const unsigned char* strtext, size_t* retbuflen) {
  return libpq<&PQunescapeBytea>("PQunescapeBytea")(strtext, retbuflen);
}

}  // extern "C"
