/** @module Table of contents of what computes in Node. */
export { node } from "./node-backend.ts";
export type { NodeOptions, Provider } from "./node-options.ts";
export {
  DEVICES,
  type DeviceName,
  type DeviceOptions,
  openDevice,
  type OpenedDevice,
} from "./open-device.ts";
