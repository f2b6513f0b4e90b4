import "./worker.js";

const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features");
Object.defineProperty(GPUAdapter.prototype, "features", {
  get() {
    return new Set([...get.call(this)].filter((feature) => feature !== "timestamp-query"));
  },
});
