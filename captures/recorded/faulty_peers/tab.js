// SPDX-License-Identifier: GPL-2.0-or-later
// A page in a tab of Chromium that is soon hidden behind another tab. Its plan:
//   url      where the page connects; without a library by WebSocket, and it then pings by hand
//   library  whether it uses socket.io-client (its browser build), of whatever version NODE_PATH holds
//   everyMs  the period of its interval timer, which pings (by hand) or sends an event (library)
//   lifeMs   when the browser is ended
// Chromium wakes chained timers of a hidden page once a minute when it has been hidden for five
// minutes; a feature parameter makes that ten seconds. All else is as it comes.
"use strict";
const http = require("http");
const { plan, log, sleep } = require("./plan");
const { PAGE_PORT, browse, servePage } = require("./chromium");

const CONTROL_PORT = 8001;
const HIDDEN_AFTER_MS = 3000;
const FLAGS = [
  `--remote-debugging-port=${CONTROL_PORT}`,
  "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10",
];

const script = `
const url = ${JSON.stringify(plan.url)}, everyMs = ${plan.everyMs};
${
  plan.library
    ? `const socket = io(url, { transports: ["websocket"], reconnection: false });
setInterval(() => socket.emit("hello", "word"), everyMs);`
    : `const socket = new WebSocket(url);
socket.onopen = () => setInterval(() => socket.readyState === 1 && socket.send("2"), everyMs);`
}`;

// What the browser answers to a request of its DevTools protocol over HTTP.
const control = (method, target) =>
  new Promise((resolve, reject) => {
    const asked = http.request({ port: CONTROL_PORT, path: target, method }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve(text));
    });
    asked.on("error", reject);
    asked.end();
  });

(async () => {
  await servePage("127.0.0.1", script, { withLibrary: Boolean(plan.library) });
  const close = browse("127.0.0.1", FLAGS);
  const end = async () => {
    await close();
    process.exit(0);
  };
  process.on("SIGTERM", end);
  while (!(await control("GET", "/json").catch(() => "")).includes(`:${PAGE_PORT}`)) {
    await sleep(200);
  }
  await sleep(HIDDEN_AFTER_MS);
  const other = JSON.parse(await control("PUT", "/json/new?about:blank"));
  await control("GET", `/json/activate/${other.id}`);
  log("hidden");
  await sleep(plan.lifeMs);
  await end();
})();
