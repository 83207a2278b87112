#include "calls/media_uri.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::calls {
namespace {

using testing::HasSubstr;

TEST(MediaUriTest, PublicUrlsAreFine) {
  for (const char* uri : {
           "https://example.com/a.png",
           "http://example.com",
           "HTTPS://EXAMPLE.COM/a.png",
           "https://cdn.example.com:8443/a.png?X-Amz-Signature=ab%2Fcd#t",
           "https://example.com./a.png",
           "https://xn--bcher-kva.example/a.png",
           "https://8.8.8.8/a.png",
           "https://134744072/a.png",  // 8.8.8.8
           "https://172.15.0.1/a.png",
           "https://172.32.0.1/a.png",
           "https://[2001:4860:4860::8888]/a.png",
           "https://[::ffff:8.8.8.8]:443/a.png",
           "https://[64:ff9b::8.8.8.8]/a.png",
           "https://[2002:808:808::1]/a.png",
           "https://[2001:200::1]/a.png",
           "https://[2a00:1450:4001:82a::200e]/a.png",
           "https://example.com/?@127.0.0.1/",
           "https://example.com#@127.0.0.1/",
           "https://localhost.example.com/a.png",
           "https://example.com/a@b.png",
           "https://example.com/http://127.0.0.1/",
       }) {
    EXPECT_EQ(MediaUriFault(uri), std::nullopt) << uri;
  }
}

TEST(MediaUriTest, EverySpellingOfASpecialAddressIsFound) {
  for (const char* host : {
           "127.0.0.1",
           "127.1",
           "127.255.255.254",
           "2130706433",
           "0x7f000001",
           "0x7f.1",
           "0177.0.0.1",
           "017700000001",
           "0",
           "0.0.0.0",
           "10.1.2.3",
           "10.1",
           "0xa.0.0.1",
           "172.16.0.1",
           "172.31.255.255",
           "192.168.0.1",
           "192.168.1",
           "3232235521",
           "169.254.169.254",
           "0xA9FEA9FE",
           "2852039166",
           "100.64.0.1",
           "224.0.0.1",
           "255.255.255.255",
           "198.18.0.1",
           "127.0.0.1.",
           "127.0.0.1..",
           "[::1]",
           "[::]",
           "[0:0:0:0:0:0:0:1]",
           "[::ffff:127.0.0.1]",
           "[::ffff:7f00:1]",
           "[::127.0.0.1]",
           "[::ffff:10.0.0.1]",
           "[fe80::1]",
           "[fe80::1%25eth0]",
           "[fc00::1]",
           "[fd12:3456::1]",
           "[fec0::1]",
           "[ff02::1]",
           "[64:ff9b::127.0.0.1]",
           "[64:ff9b::a00:1]",
           "[2002:7f00:1::]",
           "[2002:a00:1::1]",
           // Where clouds keep the credentials of their machines.
           "169.254.169.254.",
           "0251.0376.0251.0376",
           "0xa9.0xfe.0xa9.0xfe",
           "169.254.43518",
           "169.16689662",
           "[::ffff:169.254.169.254]",
           "[::FFFF:A9FE:A9FE]",
           "[0:0:0:0:0:ffff:a9fe:a9fe]",
           "[64:ff9b::a9fe:a9fe]",
           "[2002:a9fe:a9fe::]",
           "[fd00:ec2::254]",
           "100.100.100.200",
           "192.0.0.192",
           // Other ways to write or to reach an IPv4 address.
           "127.000.000.001",
           "0000000000000000000177.1",
           "[::ffff:0:127.0.0.1]",
           "[64:ff9b:1::7f00:1]",
           "[2001:0:7f00:1::]",
           "[100::1]",
           "[3fff::1]",
           "[4000::1]",
       }) {
    for (const char* scheme : {"http://", "https://"}) {
      for (const char* rest : {"/a.png", ":8080/a.png", "", "?a", "#a"}) {
        const std::string uri = std::string(scheme) + host + rest;
        const auto fault = MediaUriFault(uri);
        ASSERT_TRUE(fault.has_value()) << uri;
        EXPECT_THAT(*fault, HasSubstr("special address")) << uri;
      }
    }
  }
}

TEST(MediaUriTest, LocalNamesAreFound) {
  for (const char* host : {"localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local",
                           "db.internal", "metadata.google.internal", "intranet", "build"}) {
    const auto fault = MediaUriFault(std::string("https://") + host + "/a.png");
    ASSERT_TRUE(fault.has_value()) << host;
    EXPECT_THAT(*fault, HasSubstr("local name")) << host;
  }
}

TEST(MediaUriTest, WhatIsNoUrlSaysWhatToDoInstead) {
  struct Case {
    const char* uri;
    const char* says;
  };
  for (const Case& c : {
           Case{"", "required"},
           Case{"asset://Asset-1", "set `asset`"},
           Case{"ASSET://Asset-1", "set `asset`"},
           Case{"assets/hero", "set `asset`"},
           Case{"data:image/png;base64,AAAA", "data: URI"},
           Case{"file:///tmp/a.png", "local path"},
           Case{"/tmp/a.png", "local path"},
           Case{"./a.png", "local path"},
           Case{"~/a.png", "local path"},
           Case{"C:/a.png", "local path"},
           Case{"C:\\a.png", "local path"},
           Case{"\\\\server\\a.png", "local path"},
           Case{"ftp://example.com/a.png", "scheme"},
           Case{"gs://bucket/a.png", "scheme"},
           Case{"example.com/a.png", "has no scheme"},
           Case{"example.com/?sig=secret://", "has no scheme"},
           Case{"://example.com/", "has no scheme"},
           Case{"1s://example.com/", "has no scheme"},
           Case{"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
                "x://example.com/",
                "has no scheme"},
           Case{"//example.com/a.png", "local path"},
           Case{"https:///a.png", "no host"},
           Case{"https://", "no host"},
           Case{"https://./a.png", "no host"},
           Case{"https://user:secret@example.com/a.png", "user name"},
           Case{"https://user@example.com/a.png", "user name"},
           Case{"https://example.com@127.0.0.1/a.png", "user name"},
           Case{"https://127.0.0.1%2eexample.com/", "percent-encoding"},
           Case{"https://%31%32%37.0.0.1/", "percent-encoding"},
           Case{"https://127.0.0.1%00.example.com/", "percent-encoding"},
           Case{"https://example.com:80@169.254.169.254/", "user name"},
           Case{"https://@169.254.169.254/", "user name"},
           Case{"https://169.254.169.254\\@example.com/", "one of"},
           Case{"https://169.254.169.254\t.example.com/", "control"},
           Case{"https:/\\169.254.169.254/", "one of"},
           Case{"https:169.254.169.254/", "has no scheme"},
           Case{"https:///169.254.169.254/", "no host"},
           // Full-width and Arabic-Indic digits, which are folded into 127, and a soft hyphen,
           // which is left out.
           Case{"https://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1/", "plain ASCII"},
           Case{"https://\xD9\xA1\xD9\xA2\xD9\xA7.0.0.1/", "plain ASCII"},
           Case{"https://127.0.0\xEF\xBC\x8E"
                "1/",
                "plain ASCII"},
           Case{"https://local\xC2\xAD"
                "host/",
                "plain ASCII"},
           Case{"https://127\xE3\x80\x82"
                "0.0.1/",
                "plain ASCII"},                                       // ideographic full stop
           Case{"https://\xE2\x91\xA0.example.com/", "plain ASCII"},  // circled one
           Case{"https://b\xC3\xBC"
                "cher.example/",
                "plain ASCII"},
           Case{"https://example.com:0/", "port"},
           Case{"https://example.com:65536/", "port"},
           Case{"https://example.com:http/", "port"},
           Case{"https://[::1/", "closing bracket"},
           Case{"https://[::1]x/", "text after"},
           Case{"https://[example]/", "malformed IPv6"},
           Case{"https://1.2.3.4.5/", "malformed IPv4"},
           Case{"https://256.1.1.1/", "malformed IPv4"},
           Case{"https://1.2.3.0x100/", "malformed IPv4"},
           Case{"https://example.com/a b.png", "space"},
           Case{"https://example.com/\n", "control"},
       }) {
    const auto fault = MediaUriFault(c.uri);
    ASSERT_TRUE(fault.has_value()) << c.uri;
    EXPECT_THAT(*fault, HasSubstr(c.says)) << c.uri;
  }
}

TEST(MediaUriTest, FaultsDoNotRepeatSecrets) {
  for (const char* uri : {"https://user:secret@example.com/a.png", "x?secret://example.com/",
                          "example.com?k=secret"}) {
    const auto fault = MediaUriFault(uri);
    ASSERT_TRUE(fault.has_value()) << uri;
    EXPECT_THAT(*fault, testing::Not(HasSubstr("secret"))) << uri;
  }
}

TEST(MediaUriTest, LengthIsLimited) {
  const std::string longest = "https://example.com/" + std::string(4096 - 20, 'a');
  EXPECT_EQ(MediaUriFault(longest), std::nullopt);
  EXPECT_TRUE(MediaUriFault(longest + "a").has_value());
}

}  // namespace
}  // namespace assetgate::calls
