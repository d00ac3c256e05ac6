// SPDX-License-Identifier: GPL-2.0-or-later
// A client that does by hand, over polling and WebSocket, in whatever disorder, what its plan says:
//   host    where to connect
//   eio     the revision that it asks for, 4 unless given
//   steps   ["open"]             a handshake by polling
//           ["get"]              a poll, and its answer
//           ["hang"]             a poll whose answer nobody waits for
//           ["cut", ms]          a poll with a read time-out: the connection is cut when it is over
//           ["post", body]       a POST, and its answer
//           ["fire", body]       a POST whose answer nobody waits for
//           ["slow", body, ms]   the same, and half of its body comes later
//           ["upgrade"]          a WebSocket with the sid of the session; what follows is about the
//                                one that was opened last, and pings that come over it are answered
//           ["send", text], ["expect", start], ["leave"]
//           ["closed"]           waits until the server has closed it
//           ["wait", ms], ["ready"]
//           "get" and "post" can have a query behind all else, in the place of the session's
//   contentType   of its POSTs, text/plain;charset=UTF-8 unless given
//   retry   once it is told that its session is unknown, it opens a new one and sends 40
"use strict";
const http = require("http");
const WebSocket = require("ws");
const { plan, log, sleep } = require("./plan");

const EIO = `EIO=${plan.eio || 4}`;
let sid = "";
let ws;
let texts = [];

const ask = (method, { body, query, readTimeoutMs, slowMs }) =>
  new Promise((resolve) => {
    const path = `/socket.io/?${query || `${EIO}&transport=polling${sid && `&sid=${sid}`}`}`;
    const headers =
      body === undefined
        ? {}
        : { "Content-Type": plan.contentType || "text/plain;charset=UTF-8", "Content-Length": Buffer.byteLength(body) };
    const asked = http.request({ host: plan.host, port: 3000, method, path, headers }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => {
        const opened = /^(?:\d+:)?0\{.*"sid":"([^"]+)"/.exec(text);
        if (opened) {
          sid = opened[1];
        }
        const sent = body === undefined ? method : `${method} ${body.slice(0, 20)}`;
        log(sent, answer.statusCode, sid ? text.replace(sid, "SID") : text);
        resolve(text);
      });
    });
    if (readTimeoutMs) {
      asked.setTimeout(readTimeoutMs, () => asked.destroy(new Error("read timed out")));
    }
    asked.on("error", (error) => {
      log(method, "failed:", error.message);
      resolve("");
    });
    if (slowMs) {
      asked.write(body.slice(0, body.length / 2));
      setTimeout(() => asked.end(body.slice(body.length / 2)), slowMs);
    } else {
      asked.end(body);
    }
  });

const open = () => {
  sid = "";
  return ask("GET", {});
};

const upgrade = () =>
  new Promise((resolve) => {
    const url = `ws://${plan.host}:3000/socket.io/?${EIO}&transport=websocket&sid=${sid}`;
    const opened = new WebSocket(url, { perMessageDeflate: false });
    ws = opened;
    texts = [];
    opened.on("message", (data) => {
      const text = data.toString();
      texts.push(text);
      if (text === "2") {
        opened.send("3");
      }
    });
    opened.on("open", resolve);
    opened.on("error", (error) => {
      log("WebSocket:", error.message);
      resolve();
    });
    opened.on("close", (code) => log("WebSocket closed, code", code));
  });

const until = async (holds) => {
  while (!holds()) {
    await sleep(20);
  }
};

const act = {
  open,
  get: (query) => ask("GET", { query }),
  hang: () => void ask("GET", {}),
  cut: (ms) => ask("GET", { readTimeoutMs: ms }),
  post: (body, query) => ask("POST", { body, query }),
  fire: (body) => void ask("POST", { body }),
  slow: (body, ms) => void ask("POST", { body, slowMs: ms }),
  upgrade,
  send: (text) => ws.send(text),
  expect: (start) => until(() => texts.some((text) => text.startsWith(start))),
  leave: () => ws.close(),
  closed: () => until(() => ws.readyState === WebSocket.CLOSED),
  wait: sleep,
  ready: () => console.log("READY"),
};

(async () => {
  for (const [verb, ...words] of plan.steps) {
    const answer = await act[verb](...words);
    if (plan.retry && String(answer).includes("Session ID unknown")) {
      await open();
      await ask("POST", { body: "40" });
    }
  }
  await sleep(300); // what is on its way may arrive
  process.exit(0);
})();
