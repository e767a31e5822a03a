import { create, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { expect, test } from "vitest";
import { modelWithEmptySequence, smallestModel } from "./empty-sequence.ts";

/** The graph as the protobuf library makes it. */
function graphOf(name: string): GraphProto {
  const elemType = {
    value: { case: "tensorType" as const, value: { elemType: TensorProto_DataType.FLOAT } },
  };
  return create(GraphProtoSchema, {
    node: [create(NodeProtoSchema, { opType: "SequenceEmpty", name, output: [name] })],
    output: [
      create(ValueInfoProtoSchema, {
        name,
        type: { value: { case: "sequenceType", value: { elemType } } },
      }),
    ],
  });
}

test("modelWithEmptySequence() writes the bytes that the protobuf library writes", () => {
  const model = create(ModelProtoSchema, { graph: graphOf("some.name") });
  expect(modelWithEmptySequence("some.name")).toEqual(toBinary(ModelProtoSchema, model));
});

test("smallestModel() writes the bytes that the protobuf library writes", () => {
  const opsetImport = [create(OperatorSetIdProtoSchema, { version: 20n })];
  const model = create(ModelProtoSchema, { irVersion: 10n, opsetImport, graph: graphOf("empty") });
  expect(smallestModel()).toEqual(toBinary(ModelProtoSchema, model));
});
