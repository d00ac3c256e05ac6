// SPDX-License-Identifier: GPL-2.0-or-later
// A WebSocket client that says by hand what its plan tells it to:
//   url      where to connect
//   steps    [["expect", "0"], ["send", "40"], ["wait", 500], ["control-ping"], ["leave"]];
//            expect takes the next message that begins so, whatever came before it;
//            ["binary", "04ff"] sends bytes
//   options  for WebSocket of ws, such as headers and maxPayload
//   answers  {"2": "3"}: what to answer at once to which message
//   rounds   how often to do all of it, a connection each, everyMs apart
// After its steps it waits for the server to close, at most patienceMs, then leaves.
"use strict";
const WebSocket = require("ws");
const { plan, log, sleep } = require("./plan");

// The messages that came, for `expect`, and a promise of the next one.
class Inbox {
  constructor() {
    this.texts = [];
    this.wake = () => {};
  }
  put(text) {
    this.texts.push(text);
    this.wake();
  }
  async take(start) {
    for (;;) {
      const text = this.texts.shift();
      if (text === undefined) {
        await new Promise((resolve) => (this.wake = resolve));
      } else if (text.startsWith(start)) {
        return;
      }
    }
  }
}

const round = async () => {
  const ws = new WebSocket(plan.url, { perMessageDeflate: false, ...plan.options });
  const inbox = new Inbox();
  const closed = new Promise((resolve) => ws.on("close", resolve));
  ws.on("error", (error) => log("error:", error.message));
  ws.on("close", (code, reason) => log("closed, code", code, reason.toString()));
  ws.on("pong", () => log("control pong"));
  ws.on("message", (data) => {
    const text = data.toString();
    if (plan.answers && text in plan.answers) {
      ws.send(plan.answers[text]);
    }
    inbox.put(text);
  });
  const act = {
    expect: (start) => inbox.take(start),
    send: (text) => ws.send(text),
    binary: (hex) => ws.send(Buffer.from(hex, "hex")),
    wait: sleep,
    "control-ping": () => ws.ping(),
    leave: () => ws.close(),
  };
  const script = async () => {
    await new Promise((resolve) => ws.on("open", resolve));
    for (const [verb, argument] of plan.steps || []) {
      await act[verb](argument);
    }
    await sleep(plan.patienceMs || 3000);
    if (ws.readyState === WebSocket.OPEN) {
      log("leaves");
      ws.close();
    }
  };
  script();
  await closed;
};

(async () => {
  for (let i = 0; i < (plan.rounds || 1); i++) {
    await round();
    await sleep(plan.everyMs || 0);
  }
  process.exit(0);
})();
