// What the compiled program asks of the page: to wait, and to pass on how far it is.
let resume = null;
let woken = false;

// WebAssembly suspends the stack that calls this until the promise is kept.
export const suspend = new WebAssembly.Suspending(() => new Promise((resolve) => {
  if (woken) {
    woken = false;
    resolve();
  } else {
    resume = resolve;
  }
}));

export const wake = () => {
  const waiting = resume;
  resume = null;
  if (waiting) waiting();
  else woken = true;
};

export const progress = (news) => postMessage({ news: JSON.parse(news) });
export const failed = (why) => postMessage({ ended: why });
