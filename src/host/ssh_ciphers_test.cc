#include "host/ssh_ciphers.h"

#include <gtest/gtest.h>

namespace barman::host {
namespace {

TEST(SshCiphers, OnlyTheOrderChanges) {
  EXPECT_EQ(with_gcm_first("chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com,"
                           "aes256-gcm@openssh.com"),
            "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
            "aes128-ctr");
  EXPECT_EQ(with_gcm_first("aes256-gcm@openssh.com,aes256-ctr"),
            "aes256-gcm@openssh.com,aes256-ctr");
  EXPECT_EQ(with_gcm_first("chacha20-poly1305@openssh.com"), "chacha20-poly1305@openssh.com");
  EXPECT_EQ(with_gcm_first(""), "");
}

}  // namespace
}  // namespace barman::host
