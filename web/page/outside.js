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

// Of one part twice a second at most: what the page paints takes time of the GPU and the cores that are measured.
const APART_MS = 500;
let told = { part: "", at: 0 };
export const progress = (text) => {
  const [news, at] = [JSON.parse(text), performance.now()];
  if (news.part === told.part && at - told.at < APART_MS) return;
  told = { part: news.part, at };
  postMessage({ news });
};

export const failed = (why) => postMessage({ ended: why });
