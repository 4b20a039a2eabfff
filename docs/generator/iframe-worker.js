/* Search runs in a worker, and browsers start no workers on pages opened from the file system. There, a hidden frame
   stands in for the worker: the same script, the same messages. Served by a web server, pages use real workers. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    onmessage = null;
    #frame = document.createElement("iframe");
    #waiting = [];
    #ready = false;

    constructor(url) {
      super();
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = answer => setTimeout(() => {
        const message = new MessageEvent("message", { data: structuredClone(answer) });
        this.onmessage?.(message);
        this.dispatchEvent(message);
      });
      const script = inside.document.createElement("script");
      script.src = new URL(url, document.baseURI);
      script.onload = () => {
        this.#ready = true;
        for (const data of this.#waiting.splice(0)) this.postMessage(data);
      };
      script.onerror = () => this.dispatchEvent(new Event("error"));
      inside.document.body.append(script);
    }

    postMessage(sent) {
      const data = structuredClone(sent); // a worker gets copies, which it may change
      if (!this.#ready) { this.#waiting.push(data); return; }
      const inside = this.#frame.contentWindow;
      setTimeout(() => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
    }

    terminate() { this.#frame.remove(); }
  };
}
