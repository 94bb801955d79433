// Search from a disk: pages opened as files may not start workers, so that one runs in a frame.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.inside = frame.contentWindow;
      const loaded = new Promise((resolve) => (this.ready = resolve));
      this.loaded = loaded;
      const answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.inside.document.open();
      this.inside.document.write("<!doctype html><html><body></body></html>");
      this.inside.document.close();
      this.inside.postMessage = (data) => setTimeout(answer, 0, data);
      const script = this.inside.document.createElement("script");
      script.src = url;
      script.onload = () => this.ready();
      this.inside.document.body.appendChild(script);
    }

    postMessage(data) {
      this.loaded.then(() =>
        this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })),
      );
    }

    terminate() {}
  };
  window.Worker = window.IFrameWorker;
}
