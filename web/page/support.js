// Which browsers can run the page.

/** What keeps a browser from it, by its globals; nothing where nothing does. */
export const missing = ({ isSecureContext, navigator, WebAssembly }) => {
  if (!isSecureContext) return "A page may use the GPU only over https or from localhost: open it there.";
  if (!navigator.gpu) {
    return "This browser has no WebGPU, or has it switched off. Chrome and Edge have it since version 113 on Windows and macOS, " +
      "since 121 on Android and since 144 on some Linux machines (elsewhere behind chrome://flags/#enable-unsafe-webgpu), Firefox " +
      "since 141 on Windows, Safari since 26. For this page Chrome or Edge of version 137 or later are the best choice.";
  }
  if (!WebAssembly?.Suspending || !WebAssembly.promising) {
    return "This browser has WebGPU, but not JavaScript Promise Integration, by which a program waits for the GPU. Chrome and " +
      "Edge have it since version 137; browsers that are trying it out have it behind a switch.";
  }
  return null;
};
