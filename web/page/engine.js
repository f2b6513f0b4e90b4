// A worker, asked and answering. One that was stopped or has failed is never asked again.
export class Engine {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #next = 0;
  #why = "";

  /** `onNews` is told how far a run is. */
  constructor(onNews = () => {}) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.news) onNews(data.news);
      else if (data.id === undefined) this.#why = data.ended;
      else if (data.answer) this.#settle(data.id, (waiting) => waiting.resolve(data.answer));
      else this.#fail(data.id, data.ended);
    });
    this.#worker.addEventListener("error", (event) => this.end(event.message || "the program could not be loaded"));
  }

  /** The answer to a question; an error where there is none or the program has ended. */
  async ask(question) {
    if (!this.#worker) throw new Error(this.#why);
    const answer = await new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, question });
    });
    if (answer.answer === "failed") throw Object.assign(new Error(answer.why), { said: true });
    return answer;
  }

  /** Ends it at once, whatever it is doing. */
  end(why) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#why ||= why;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, (waiting) => waiting.reject(new Error(this.#why)));
  }

  get ended() {
    return !this.#worker;
  }

  #settle(id, how) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) how(waiting);
  }

  // A program that has ended in a bug cannot be asked again.
  #fail(id, why) {
    this.#settle(id, (waiting) => waiting.reject(new Error(this.#why || why)));
    this.end(why);
  }
}
