// Against the real gpg. One keyring for all tests: making keys takes time.
#include "encryption/cipher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <thread>

#include "base/error.h"
#include "encryption/test_support.h"

namespace barman::encryption {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Collector final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override { ++finished; }
  std::string text;
  int finished = 0;
};

class FullDisk final : public pipeline::Sink {
 public:
  void write(Bytes data) override {
    written_ += data.size();
    if (written_ > (1U << 20)) throw SystemError(ENOSPC, "cannot write \"x\"");
  }
  void finish() override { ADD_FAILURE() << "finished after an error"; }

 private:
  std::size_t written_ = 0;
};

std::string random_text(std::size_t size) {
  std::mt19937_64 random(42);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

void push(pipeline::Sink& sink, std::string_view text, std::size_t step = 100000) {
  for (std::size_t i = 0; i < text.size(); i += step) sink.write(as_bytes(text.substr(i, step)));
  sink.finish();
}

class CipherTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { keyring = new TestKeyring(); }
  static void TearDownTestSuite() { delete std::exchange(keyring, nullptr); }

  static Cipher cipher(const std::string& passphrase_command = "echo open sesame",
                       const std::string& recipient = TestKeyring::kKey) {
    return Cipher({.recipient = recipient, .passphrase_command = passphrase_command});
  }
  static std::string encrypted(const std::string& text, std::size_t step = 100000) {
    Collector result;
    push(*cipher().make_encryptor(result, "x.gpg"), text, step);
    EXPECT_EQ(result.finished, 1);
    return result.text;
  }
  static std::string decrypted(const std::string& message, const Cipher& with = cipher()) {
    Collector result;
    push(*with.make_decryptor(result, "x.gpg"), message);
    EXPECT_EQ(result.finished, 1);
    return result.text;
  }
  static bool kill_working_gpg() {
    for (int attempt = 0; attempt < 3000; ++attempt) {
      if (keyring->kill_gpg()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // "KIND: MESSAGE (HINT)"
  template <typename Action>
  static std::string failure_of(Action action) {
    try {
      action();
    } catch (const Error& error) {
      return (error.kind() == ErrorKind::config    ? "config: "
              : error.kind() == ErrorKind::corrupt ? "corrupt: "
                                                   : "other: ") +
             error.describe() + " (" + error.hint() + ")";
    }
    return "none";
  }

  static TestKeyring* keyring;
};

TestKeyring* CipherTest::keyring = nullptr;

TEST_F(CipherTest, IsReadByGpg) {
  for (const std::string& text : {std::string(), std::string("x"), random_text(900000)}) {
    EXPECT_TRUE(keyring->decrypt(encrypted(text)) == text) << text.size();
  }
}

TEST_F(CipherTest, ReadsWhatGpgWrote) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string(65536, 'y'), random_text(900000)}) {
    EXPECT_TRUE(decrypted(keyring->encrypt(text)) == text) << text.size();
  }
}

TEST_F(CipherTest, GivesBackWhatItTook) {
  const std::string text = random_text(20 << 20);
  EXPECT_TRUE(decrypted(encrypted(text, 3 << 20)) == text);
  EXPECT_TRUE(decrypted(encrypted(text.substr(0, 300000), 1)) == text.substr(0, 300000));
}

TEST_F(CipherTest, DoesNotCompress) {
  EXPECT_GT(encrypted(std::string(1 << 20, 'z')).size(), std::size_t{1} << 20);
}

TEST_F(CipherTest, WorksInSeveralThreads) {
  const Cipher shared = cipher();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&shared, i] {
      const std::string text = random_text(100000 + static_cast<std::size_t>(i));
      Collector message;
      push(*shared.make_encryptor(message, "x"), text);
      EXPECT_TRUE(decrypted(message.text, shared) == text);
    });
  }
}

TEST_F(CipherTest, NeedsItsOptions) {
  Collector next;
  EXPECT_FALSE(Cipher().can_encrypt());
  EXPECT_FALSE(Cipher().can_decrypt());
  EXPECT_THAT(failure_of([&] { Cipher().make_encryptor(next, "x"); }),
              HasSubstr("config: cannot encrypt \"x\": encryption_key_id is not set"));
  EXPECT_THAT(failure_of([&] { Cipher().make_decryptor(next, "x"); }),
              HasSubstr("no 'encryption_passphrase_command' is configured"));
  EXPECT_THAT(failure_of([&] { cipher("exit 3").make_decryptor(next, "x"); }),
              HasSubstr("Command failed with code 3"));
}

TEST_F(CipherTest, NamesAKeyThatIsNotThere) {
  Collector next;
  const std::string failure = failure_of(
      [&] { push(*cipher("true", "nobody@example.com").make_encryptor(next, "x"), "text"); });
  EXPECT_THAT(failure, HasSubstr("config: cannot encrypt \"x\" for key 'nobody@example.com': "));
  EXPECT_THAT(failure, HasSubstr("gpg --import"));
  EXPECT_EQ(next.finished, 0);
}

TEST_F(CipherTest, RefusesAKeyThatNobodyTrusts) {
  std::string key;
  {
    const TestKeyring other("stranger@example.com");
    key = other.gpg({"--export", "stranger@example.com"});
  }
  ::setenv("GNUPGHOME", keyring->directory().c_str(), 1);
  keyring->gpg({"--import"}, key);
  Collector next;
  const std::string failure = failure_of(
      [&] { push(*cipher("true", "stranger@example.com").make_encryptor(next, "x"), "text"); });
  EXPECT_THAT(failure, HasSubstr("config: "));
  EXPECT_THAT(failure, HasSubstr("not trusted"));
}

TEST_F(CipherTest, RefusesAWrongPassphrase) {
  const std::string message = encrypted("text");
  keyring->end_agent();
  const std::string failure = failure_of([&] { decrypted(message, cipher("echo hush")); });
  EXPECT_THAT(failure, HasSubstr("config: cannot decrypt \"x.gpg\": Bad passphrase"));
  EXPECT_THAT(failure, Not(HasSubstr("hush")));
}

TEST_F(CipherTest, NamesAPrivateKeyThatIsNotThere) {
  const std::string message = encrypted("text");
  const TemporaryDirectory empty;
  std::filesystem::permissions(empty.path(), std::filesystem::perms::owner_all);
  ::setenv("GNUPGHOME", empty.path().c_str(), 1);
  const std::string failure = failure_of([&] { decrypted(message); });
  run_process({.argv = {"gpgconf", "--kill", "gpg-agent"}});
  ::setenv("GNUPGHOME", keyring->directory().c_str(), 1);
  EXPECT_THAT(failure, HasSubstr("config: cannot decrypt \"x.gpg\": its private key is not"));
}

TEST_F(CipherTest, WorksAfterItsAgentWasKilled) {
  const std::string message = encrypted("text");
  keyring->kill_agent();
  EXPECT_EQ(decrypted(message), "text");
}

// The message would be cut off.
TEST_F(CipherTest, NoticesThatItsGpgWasKilled) {
  Collector sink;
  const auto encryptor = cipher().make_encryptor(sink, "x");
  encryptor->write(as_bytes(random_text(2 << 20)));
  ASSERT_TRUE(kill_working_gpg());
  // Whether its input pipe was full or empty.
  EXPECT_THAT(failure_of([&] { encryptor->finish(); }), HasSubstr("cannot encrypt \"x\""));
}

TEST_F(CipherTest, DoesNotBlameTheFileAloneWhenItsGpgWasKilled) {
  const std::string message = encrypted(random_text(2 << 20));
  Collector sink;
  const auto decryptor = cipher().make_decryptor(sink, "x.gpg");
  decryptor->write(as_bytes(message.substr(0, message.size() / 2)));
  ASSERT_TRUE(kill_working_gpg());
  const std::string failure = failure_of([&] {
    decryptor->write(as_bytes(message.substr(message.size() / 2)));
    decryptor->finish();
  });
  EXPECT_THAT(failure, HasSubstr("cannot decrypt \"x.gpg\": gpg ended before all was decrypted"));
  EXPECT_THAT(failure, HasSubstr("and try again"));
}

// Puts a script in front of gpg, which finds the real one as $GPG.
class OtherGpg {
 public:
  explicit OtherGpg(const std::string& script) {
    const std::filesystem::path path = directory_.path() / "gpg";
    std::ofstream(path) << "#!/bin/sh\nGPG=/usr/bin/gpg\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    ::setenv("PATH", (directory_.path().string() + ":" + path_).c_str(), 1);
  }
  OtherGpg(const OtherGpg&) = delete;
  OtherGpg& operator=(const OtherGpg&) = delete;
  ~OtherGpg() { ::setenv("PATH", path_.c_str(), 1); }

 private:
  TemporaryDirectory directory_;
  const std::string path_ = ::getenv("PATH");
};

// Its message is complete in itself, and it says END_ENCRYPTION: only the exit code tells. It reads
// much at once, beside what it reads before: the 150th read is in the middle of the text.
TEST_F(CipherTest, NoticesThatGpgCouldNotReadItsInput) {
  const OtherGpg other(
      "exec strace -f -qq -o /dev/null -e trace=read -e inject=read:error=EIO:when=150 $GPG "
      "\"$@\"");
  Collector next;
  const std::string failure =
      failure_of([&] { push(*cipher().make_encryptor(next, "x"), random_text(32 << 20)); });
  EXPECT_THAT(failure, HasSubstr("cannot encrypt \"x\""));
  EXPECT_THAT(failure, HasSubstr("with exit code 2: [stdin]: "));
  EXPECT_EQ(next.finished, 0);
}

TEST_F(CipherTest, CountsWhatGpgTookAndGaveOutWhateverItSays) {
  const std::string text = random_text(3 << 20);
  const std::string message = encrypted(text);
  for (const std::string script :
       {"head -c 1000000 | $GPG \"$@\"; exit 2", "head -c 1000000 | $GPG \"$@\"; exit 0",
        "cat >/dev/null; echo '[GNUPG:] END_ENCRYPTION' >&$8; exit 0", "exit 0",
        "$GPG \"$@\" | head -c 100000",
        // It has read everything, and encrypts a part.
        "cat >all && head -c 2999000 all | $GPG \"$@\""}) {
    const OtherGpg other("cd \"${0%/*}\"; " + script);
    Collector next;
    EXPECT_THAT(failure_of([&] { push(*cipher().make_encryptor(next, "x"), text); }),
                HasSubstr("cannot encrypt \"x\""))
        << script;
    EXPECT_EQ(next.finished, 0) << script;
  }
  for (const std::string script :
       {"$GPG \"$@\"; exit 2", "exit 0", "head -c 1000000 | $GPG \"$@\""}) {
    const OtherGpg other(script);
    EXPECT_THAT(failure_of([&] { decrypted(message); }), HasSubstr("cannot decrypt \"x.gpg\""))
        << script;
  }
  const OtherGpg other("exec $GPG \"$@\"");
  EXPECT_TRUE(decrypted(encrypted(text)) == text);
}

TEST_F(CipherTest, TellsThatThereIsNoGpg) {
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  Collector next;
  const std::string failure = failure_of([&] { cipher().make_encryptor(next, "x"); });
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(failure, HasSubstr("config: GnuPG cannot be used"));
  EXPECT_THAT(failure, HasSubstr("Install gpg"));
}

TEST_F(CipherTest, NoticesDamage) {
  const std::string text = random_text(2 << 20);
  const std::string message = encrypted(text);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{40}, message.size() / 2, message.size() - 1}) {
    EXPECT_THAT(failure_of([&] { decrypted(message.substr(0, size)); }), HasSubstr("corrupt: "))
        << size;
  }
  for (const std::size_t place : {message.size() / 2, message.size() - 5}) {
    std::string altered = message;
    altered[place] = static_cast<char>(altered[place] ^ 1);
    EXPECT_THAT(failure_of([&] { decrypted(altered); }), HasSubstr("corrupt: ")) << place;
  }
  EXPECT_THAT(failure_of([&] { decrypted(text); }), HasSubstr("corrupt: "));
}

TEST_F(CipherTest, HandsOnTheErrorsOfTheNextSink) {
  FullDisk disk;
  EXPECT_THAT(failure_of([&] { push(*cipher().make_encryptor(disk, "x"), random_text(8 << 20)); }),
              HasSubstr("No space left on device"));
}

TEST_F(CipherTest, EndsItsProcessWhenItIsGivenUp) {
  Collector next;
  {
    const auto encryptor = cipher().make_encryptor(next, "x");
    encryptor->write(as_bytes(random_text(3 << 20)));
  }
  EXPECT_EQ(next.finished, 0);
  EXPECT_NO_THROW(cipher().make_decryptor(next, "x"));
  EXPECT_EQ(next.finished, 0);
}

}  // namespace
}  // namespace barman::encryption
