// SPDX-License-Identifier: GPL-2.0-or-later
// A client that opens a session by polling and goes on over WebSocket, all by hand:
//   host    where to connect
//   eio     the revision that it asks for, 4 unless given
//   steps   [["open"], ["post", "40"], ["get"], ["poll"], ["upgrade"], ["send", "2probe"],
//            ["expect", "3probe"], ["closed"], ["wait", ms], ["leave"]]
//           "poll" is a GET whose answer nobody waits for; "upgrade" opens a WebSocket with the sid
//           of the session, and what follows is about the one that was opened last; "closed" waits
//           until the server has closed it; pings of the server are answered
"use strict";
const http = require("http");
const WebSocket = require("ws");
const { plan, log, sleep } = require("./plan");

const BASE = `/socket.io/?EIO=${plan.eio || 4}`;
const agent = new http.Agent({ keepAlive: true });
let sid = "";
let ws;
let texts = [];

const request = (method, body) =>
  new Promise((resolve) => {
    const path = `${BASE}&transport=polling${sid && `&sid=${sid}`}`;
    const headers = body === undefined ? {} : { "Content-Type": "text/plain;charset=UTF-8" };
    const asked = http.request({ host: plan.host, port: 3000, method, path, headers, agent }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve([answer.statusCode, text]));
    });
    asked.on("error", (error) => resolve([0, error.message]));
    asked.end(body);
  });

const tell = async (what, answered) => {
  const [status, text] = await answered;
  log(what, status, sid ? text.replace(sid, "SID") : text);
  return text;
};

const upgrade = () =>
  new Promise((resolve) => {
    const opened = new WebSocket(`ws://${plan.host}:3000${BASE}&transport=websocket&sid=${sid}`, {
      perMessageDeflate: false,
    });
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
  open: async () => {
    const text = await tell("opens", request("GET"));
    sid = /"sid":"([^"]+)"/.exec(text)[1];
  },
  post: (body) => tell(`POST ${body}`, request("POST", body)),
  get: () => tell("GET", request("GET")),
  poll: () => {
    tell("GET", request("GET"));
  },
  upgrade,
  send: (text) => ws.send(text),
  expect: (text) => until(() => texts.some((one) => one.startsWith(text))),
  closed: () => until(() => ws.readyState === WebSocket.CLOSED),
  wait: sleep,
  leave: () => ws.close(),
};

(async () => {
  for (const [verb, argument] of plan.steps) {
    await act[verb](argument);
  }
  await sleep(300);
  process.exit(0);
})();
