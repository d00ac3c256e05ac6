// SPDX-License-Identifier: GPL-2.0-or-later
// A polling client that sends by hand the requests of its plan:
//   host    where to connect
//   steps   [["get", query], ["post", query, body], ["poll", query], ["wait", ms]];
//           "poll" is a GET whose answer nobody waits for, {sid} in a query is the session's
"use strict";
const http = require("http");
const { plan, log, sleep } = require("./plan");

let sid = "";

const request = (method, query, body) =>
  new Promise((resolve) => {
    const path = `/socket.io/?${query.replace("{sid}", sid)}`;
    const headers = body === undefined ? {} : { "Content-Type": "text/plain;charset=UTF-8" };
    const asked = http.request({ host: plan.host, port: 3000, method, path, headers }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => {
        const opened = /"sid":"([^"]+)"/.exec(text);
        if (opened && /^(\d+:)?0/.test(text)) {
          sid = opened[1];
        }
        const sent = body === undefined ? method : `${method} ${body}`;
        log(sent, answer.statusCode, sid ? text.replace(sid, "SID") : text);
        resolve();
      });
    });
    asked.on("error", (error) => resolve(log(method, "failed:", error.message)));
    asked.end(body);
  });

(async () => {
  for (const [verb, first, second] of plan.steps) {
    if (verb === "wait") {
      await sleep(first);
    } else if (verb === "poll") {
      request("GET", first);
    } else {
      await request(verb === "get" ? "GET" : "POST", first, second);
    }
  }
  process.exit(0);
})();
