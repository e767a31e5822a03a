import { create, toBinary } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { expect, test } from "vitest";
import { modelWithEmptySequence } from "./empty-sequence.ts";

test("modelWithEmptySequence() writes the bytes that the protobuf library writes", () => {
  const name = "some.name";
  const elemType = {
    value: { case: "tensorType" as const, value: { elemType: TensorProto_DataType.FLOAT } },
  };
  const model = create(ModelProtoSchema, {
    graph: create(GraphProtoSchema, {
      node: [create(NodeProtoSchema, { opType: "SequenceEmpty", name, output: [name] })],
      output: [
        create(ValueInfoProtoSchema, {
          name,
          type: { value: { case: "sequenceType", value: { elemType } } },
        }),
      ],
    }),
  });
  expect(modelWithEmptySequence(name)).toEqual(toBinary(ModelProtoSchema, model));
});
