#!/usr/bin/env python3
"""Reflection, as grpcurl, grpcui, evans and buf curl use it: services are listed and described.
Run by CTest."""

import json
import subprocess
import unittest

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import tools
from programs import DEADLINE, ProgramTest

METHOD = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
OURS = {"assetgate.v1.AssetService", "assetgate.v1.ProviderService", "assetgate.v1.VideoService"}


def reflection_messages():
    """The needed parts of the request and the answer; Debian has no package of them."""
    string, message, many, one = (descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
                                  descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
                                  descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
                                  descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    shapes = {
        "Request": [("file_by_filename", 3, string, one, ""), ("file_containing_symbol", 4, string, one, ""),
                    ("list_services", 7, string, one, "")],
        "Answer": [("files", 4, message, one, "Files"), ("services", 6, message, one, "Services"),
                   ("error", 7, message, one, "Error")],
        "Files": [("file_descriptor_proto", 1, descriptor_pb2.FieldDescriptorProto.TYPE_BYTES, many, "")],
        "Services": [("service", 1, message, many, "Service")],
        "Service": [("name", 1, string, one, "")],
        "Error": [("error_message", 2, string, one, "")],
    }
    file = descriptor_pb2.FileDescriptorProto(name="reflection.proto", package="reflection", syntax="proto2")
    for name, fields in shapes.items():
        shape = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            shape.field.add(name=field, number=number, type=kind, label=label,
                            type_name=f".reflection.{of}" if of else None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return [factory.GetPrototype(pool.FindMessageTypeByName(f"reflection.{name}")) for name in ("Request", "Answer")]


class ReflectionTest(ProgramTest):
    CONFIG_EXTRA = "debug: {reflection: true, channelz: true}\n"

    def setUp(self):
        super().setUp()
        _, self.gateway = self.start_both()
        self.request, self.answer = reflection_messages()

    def ask(self, **question):
        call = self.gateway.channel.stream_stream(
            METHOD, request_serializer=self.request.SerializeToString, response_deserializer=self.answer.FromString)
        answer = next(call(iter([self.request(**question)]), timeout=DEADLINE))
        self.assertEqual(answer.error.error_message, "", question)
        return answer

    def describe(self, symbol):
        """A service with every file that it needs, assembled as a client does."""
        pool, waiting = descriptor_pool.DescriptorPool(), {}
        asked = [self.ask(file_containing_symbol=symbol)]
        while asked:
            for data in asked.pop().files.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                waiting[file.name] = file
            for name in {name for file in waiting.values() for name in file.dependency} - waiting.keys():
                asked.append(self.ask(file_by_filename=name))
        while waiting:
            ready = [file for file in waiting.values() if not any(name in waiting for name in file.dependency)]
            self.assertTrue(ready, waiting.keys())
            for file in ready:
                pool.Add(waiting.pop(file.name))
        return pool, pool.FindServiceByName(symbol)

    def test_every_listed_service_is_described(self):
        names = {service.name for service in self.ask(list_services="").services.service}
        self.assertLessEqual(OURS | {"grpc.health.v1.Health", "grpc.channelz.v1.Channelz",
                                     "grpc.reflection.v1alpha.ServerReflection"}, names)
        for name in names:
            with self.subTest(service=name):
                _, service = self.describe(name)
                self.assertTrue(service.methods)

    def test_a_described_method_can_be_called(self):
        pool, service = self.describe("grpc.health.v1.Health")
        factory = message_factory.MessageFactory(pool)
        method = service.methods_by_name["Check"]
        answer = factory.GetPrototype(method.output_type)
        check = self.gateway.channel.unary_unary(
            "/grpc.health.v1.Health/Check", response_deserializer=answer.FromString,
            request_serializer=factory.GetPrototype(method.input_type).SerializeToString)
        told = check(factory.GetPrototype(method.input_type)(), timeout=DEADLINE)
        self.assertEqual(answer.DESCRIPTOR.enum_types_by_name["ServingStatus"].values_by_number[told.status].name,
                         "SERVING")

    def test_buf_curl_needs_nothing_but_the_address(self):
        buf = tools.buf()
        for call, data, field in (("assetgate.v1.ProviderService/ListProviders", "{}", "providers"),
                                  ("grpc.health.v1.Health/Check", "{}", "status")):
            done = subprocess.run(
                [buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha",
                 "-d", data, f"http://{self.gateway.address}/{call}"],
                text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=DEADLINE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(field, json.loads(done.stdout))


if __name__ == "__main__":
    unittest.main()
