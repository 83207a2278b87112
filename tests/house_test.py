#!/usr/bin/env python3
"""The layout check reports each way of breaking the layout, and passes a tree that keeps it. Run by
CTest."""

import textwrap
import unittest

import house

# A small tree that keeps the layout.
LINKS = """
assetgate_library(base SOURCES clock.cc DEPS absl::time)
assetgate_library(http DEPS assetgate::base)
assetgate_library(http_curl DEPS assetgate::http CURL::libcurl)
assetgate_library(provider DEPS assetgate::http)
assetgate_library(model DEPS assetgate::provider)
assetgate_library(auth SOURCES auth/jwt.cc DEPS assetgate::base)
assetgate_library(config DEPS assetgate::model yaml-cpp)
assetgate_library(reconcile DEPS assetgate::model)
assetgate_library(calls DEPS assetgate::reconcile)
assetgate_library(base_testing DEPS assetgate::base)
assetgate_test(clock_test SOURCES clock_test.cc DEPS assetgate::base_testing)
"""
TREE = {
    "service/CMakeLists.txt": LINKS,
    "service/base/clock.h": "#include <string>\n",
    "service/base/clock.cc": '#include "base/clock.h"\n',
    "service/base/clock_test.cc": '#include "base/testing/fake_clock.h"\n#include "gtest.h"\n',
    "service/base/testing/fake_clock.h": '#include "base/clock.h"\n',
    "service/model/record.proto": "",
    "service/calls/gateway.h": '#include "model/record.pb.h"\n#include "base/clock.h"\n',
    "service/reconcile/testing/harness.h": '#include "calls/gateway.h"\n',
    "service/store/postgres/store.h": "",
    "service/store/testing/server.h": '#include "store/postgres/store.h"\n',
    "providers/kyy/kyy.h": '#include "base/clock.h"\n',
    "providers/zero/zero.h": "",
}


class Layout(unittest.TestCase):
    def assert_one(self, found, *parts):
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def changed(self, path, text):
        """The complaints about the tree with one file changed or added."""
        return house.complaints({**TREE, path: textwrap.dedent(text)})

    def linked(self, command):
        """The complaints about the tree with one more CMake command."""
        return self.changed("service/CMakeLists.txt", f"{LINKS}{command}\n")

    def test_a_tree_that_keeps_the_layout_passes(self):
        self.assertEqual(house.complaints(TREE), [])

    def test_an_include_of_a_higher_floor_is_reported_with_its_line(self):
        found = self.changed("service/base/clock.h", '\n#include "model/record.pb.h"\n')
        self.assert_one(found, "service/base/clock.h:2:", "service/model is above service/base")

    def test_an_include_of_another_room_on_the_same_floor_is_reported(self):
        found = self.changed("providers/kyy/kyy.h", '#include "providers/zero/zero.h"\n')
        self.assert_one(found, "providers/zero is on the floor of providers/kyy")

    def test_an_include_in_a_comment_or_a_literal_is_none(self):
        self.assertEqual([], self.changed("service/base/clock.h", """\
            // #include "model/record.pb.h"
            /*
            #include "model/record.pb.h"
            */
            constexpr char kText[] = R"(
            #include "model/record.pb.h"
            )";
            """))

    def test_a_test_is_on_the_floor_of_its_room(self):
        found = self.changed("service/base/clock_test.cc", '#include "model/record.pb.h"\n')
        self.assert_one(found, "service/base/clock_test.cc:1:", "service/model is above")

    def test_production_code_may_not_look_up_where_tests_may(self):
        found = self.changed("service/reconcile/reconciler.cc", '#include "calls/gateway.h"\n')
        self.assert_one(found, "service/reconcile/reconciler.cc:1:", "service/calls is above")

    def test_an_exception_that_no_test_needs_is_reported(self):
        found = self.changed("service/reconcile/testing/harness.h", "")
        self.assert_one(found, "remove it from TESTS_LOOK_UP")

    def test_a_folder_in_no_room_is_reported(self):
        found = self.changed("service/attic/box.cc", "")
        self.assert_one(found, "service/attic/box.cc", "add it to FLOORS")

    def test_a_circle_between_files_is_reported_once(self):
        found = house.complaints({**TREE, "service/base/a.h": '#include "base/b.h"\n',
                                  "service/base/b.h": '#include "base/c.h"\n',
                                  "service/base/c.h": '#include "base/a.h"\n'})
        self.assert_one(found, "a circle between files: service/base/a.h -> service/base/b.h -> "
                               "service/base/c.h -> service/base/a.h")

    def test_a_circle_between_rooms_is_reported(self):
        found = self.changed("service/model/limits.h", '#include "calls/gateway.h"\n')
        self.assertTrue(any("a circle between rooms: service/calls -> service/model" in line
                            for line in found), found)

    def test_a_circle_between_link_targets_is_reported(self):
        found = self.linked("target_link_libraries(assetgate_base PUBLIC assetgate::http)")
        self.assert_one(found, "a circle between targets: base -> http -> base")

    def test_a_friend_in_another_file_is_reported(self):
        for friend in ("friend class Loop;", "friend struct base::Loop;", "friend Loop;",
                       "template <typename T> friend class Loop;", "friend class Loop<int>;"):
            with self.subTest(friend):
                found = self.changed("service/base/clock.h", f"class Clock {{\n  {friend}\n}};\n")
                self.assert_one(found, "service/base/clock.h:2: befriends", "Loop")

    def test_a_friend_in_the_same_header_passes(self):
        self.assertEqual([], self.changed("service/base/clock.h", """\
            class Loop;
            class Clock {
              friend class Loop;
              friend bool operator==(const Clock&, const Clock&) = default;
              template <typename H>
              friend H AbslHashValue(H h, const Clock& clock) { return h; }
            };
            class ABSL_LOCKABLE Loop : public Thread {};
            """))

    def test_a_testing_header_in_production_code_is_reported(self):
        found = self.changed("service/base/clock.cc", '#include "base/testing/fake_clock.h"\n')
        self.assert_one(found, "service/base/clock.cc:1: is production code")

    def test_a_testing_library_of_a_production_target_is_reported(self):
        found = self.linked("assetgate_program(assetgate DEPS assetgate::base_testing)")
        self.assert_one(found, "assetgate is production code, but links base_testing")

    def test_a_link_that_breaks_a_wall_is_reported_with_its_chain(self):
        for wall, link, chain in (
                ("config", "auth PUBLIC SQLite::SQLite3", "auth -> SQLite::SQLite3"),
                ("model", "http PUBLIC CURL::libcurl", "provider -> http -> CURL::libcurl"),
                ("calls", "calls PRIVATE gRPC::grpc++_unsecure", "calls -> gRPC::grpc++_unsecure"),
                ("reconcile", "reconcile PRIVATE assetgate::http_curl",
                 "reconcile -> http_curl -> CURL::libcurl")):
            with self.subTest(wall):
                found = self.linked(f"target_link_libraries(assetgate_{link})")
                self.assertTrue(any(line.endswith(chain) for line in found), found)

    def test_an_include_that_breaks_a_wall_is_reported(self):
        for path, header in (("auth/jwt.cc", "<libpq-fe.h>"), ("calls/rpc.cc", "<grpcpp/grpcpp.h>"),
                             ("reconcile/send.cc", '"http/curl_client.h"')):
            with self.subTest(path):
                found = self.changed(f"service/{path}", f"#include {header}\n")
                self.assert_one(found, f"service/{path}:1:", "must not include")

    def test_config_and_auth_stay_apart_from_provider(self):
        found = house.complaints({**TREE, "service/provider/failure.h": "",
                                  "service/auth/jwt.cc": '#include "provider/failure.h"\n'})
        self.assert_one(found, "service/auth/jwt.cc:1: auth must not include provider")
        found = self.linked("target_link_libraries(assetgate_config PUBLIC assetgate::provider)")
        self.assert_one(found, "config must not link provider")

    def test_what_is_too_long_is_reported(self):
        self.assert_one(self.changed("service/reconcile/long.cc", "\n" * 501), "has 501 lines")
        self.assertEqual([], self.changed("service/reconcile/long.cc", "\n" * 500))
        path, body = "service/reconcile/long.cc", "  Step();\n"
        self.assertEqual([], self.changed(path, f"void F() {{\n{body * 78}}}\n"))
        self.assert_one(self.changed(path, f"\nvoid F() {{\n{body * 79}}}\n"),
                        "long.cc:2: F has 81 lines")


class Functions(unittest.TestCase):
    def found(self, text):
        return [(name, lines) for _, name, lines in house.functions(textwrap.dedent(text))]

    def test_functions_are_found_in_namespaces_and_classes(self):
        self.assertEqual(self.found("""\
            namespace assetgate {
            int Free(int a,
                     int b = 1) {
              return a + b;
            }
            class Clock : public Base<int()> {
             public:
              explicit Clock(int at) : Base{at}, at_(at) {}
              ~Clock() override { Stop(); }
              bool operator()(int) const {
                return true;
              }
              std::function<void()> then_ = [] {};

             private:
              int at_{0};
            };
            }  // namespace assetgate
            """), [("Free", 4), ("Clock", 1), ("~Clock", 1), ("operator()", 3),
                ("then_", 1)])

    def test_a_member_initialized_with_braces_does_not_end_the_signature(self):
        self.assertEqual(self.found("""\
            Clock::Clock(int at)
                : at_{at},
                  name_("{") {
              Start();
            }
            """), [("Clock::Clock", 5)])

    def test_a_lambda_counts_with_the_function_around_it(self):
        self.assertEqual(self.found("""\
            template <typename T>
            void Item<T>::Run() {
              loop_.Post([this] {
                if (Done()) {
                  Stop();
                }
              });
            }
            """), [("Item<T>::Run", 8)])

    def test_tables_and_declarations_are_none(self):
        self.assertEqual(self.found("""\
            constexpr int kTable[] = {
                Of(1),
            };
            void Declared(int a);
            enum class Color { kRed };
            """), [])

    def test_a_test_is_named_by_its_suite_and_case(self):
        self.assertEqual(self.found("""\
            TEST_F(ClockTest, TicksOnce) {
              EXPECT_EQ(1, '}');
            }
            """), [("ClockTest.TicksOnce", 3)])


if __name__ == "__main__":
    unittest.main()
