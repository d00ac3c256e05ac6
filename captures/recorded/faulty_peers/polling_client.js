// SPDX-License-Identifier: GPL-2.0-or-later
// A polling client that does by hand, and in whatever disorder, what its plan says:
//   host    where to connect
//   eio     the revision that it asks for (4)
//   steps   ["open"]            a handshake
//           ["poll"]            a GET, and its answer
//           ["hang"]            a GET whose answer nobody waits for
//           ["cut", ms]         a GET with a read time-out: the connection is cut when it is over
//           ["post", body]      a POST, and its answer
//           ["send", body]      a POST whose answer nobody waits for
//           ["slow", body, ms]  the same, and half of its body comes later
//           ["preflight"]       an OPTIONS as a browser asks before a POST of another origin
//           ["wait", ms], ["ready"]
//   retry   what comes of a poll that was cut or refused: it opens a new session once it is told
//           that its session is unknown, and sends 40; goes on with its steps else
"use strict";
const http = require("http");
const { plan, log, sleep } = require("./plan");

let sid = "";

const send = (method, { body, headers = {}, readTimeoutMs, slowMs } = {}) =>
  new Promise((resolve) => {
    const revision = plan.eio || 4;
    const path = `/socket.io/?EIO=${revision}&transport=polling${sid && `&sid=${sid}`}`;
    if (body !== undefined) {
      headers = { "Content-Type": "text/plain;charset=UTF-8", "Content-Length": Buffer.byteLength(body) };
    }
    const asked = http.request({ host: plan.host, port: 3000, method, path, headers }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => {
        const opened = /"sid":"([^"]+)"/.exec(text);
        if (opened && !sid) {
          sid = opened[1];
        }
        log(method, body === undefined ? "" : body.slice(0, 20), answer.statusCode, sid ? text.replace(sid, "SID") : text);
        resolve({ status: answer.statusCode, text });
      });
    });
    if (readTimeoutMs) {
      asked.setTimeout(readTimeoutMs, () => asked.destroy(new Error("read timed out")));
    }
    asked.on("error", (error) => {
      log(method, "failed:", error.message);
      resolve({ status: 0, text: error.message });
    });
    if (slowMs) {
      asked.write(body.slice(0, body.length / 2));
      setTimeout(() => asked.end(body.slice(body.length / 2)), slowMs);
    } else {
      asked.end(body);
    }
  });

const PREFLIGHT = {
  Origin: "http://app.example",
  "Access-Control-Request-Method": "POST",
  "Access-Control-Request-Headers": "x-token",
};

const open = async () => {
  sid = "";
  await send("GET");
};

const act = {
  open,
  poll: () => send("GET"),
  hang: () => void send("GET"),
  cut: (ms) => send("GET", { readTimeoutMs: ms }),
  post: (body) => send("POST", { body }),
  send: (body) => void send("POST", { body }),
  slow: (body, ms) => void send("POST", { body, slowMs: ms }),
  preflight: () => send("OPTIONS", { headers: PREFLIGHT }),
  wait: sleep,
  ready: () => console.log("READY"),
};

(async () => {
  for (const [verb, ...words] of plan.steps) {
    const answer = await act[verb](...words);
    if (plan.retry && verb !== "open" && answer && answer.text.includes("Session ID unknown")) {
      await open();
      await send("POST", { body: "40" });
    }
  }
  process.exit(0);
})();
