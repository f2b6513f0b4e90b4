// The page's worker, in a browser whose GPU has no clock.
const Plain = globalThis.Worker;
globalThis.Worker = class extends Plain {
  constructor(_, options) {
    super("blunt-worker.js", options);
  }
};
