// SPDX-License-Identifier: GPL-2.0-or-later
// A page with the browser build of socket.io-client, and the Chromium that opens it. Its plan:
//   url, options  for io()
//   hello         sends the event "hello" once it has connected, with "text" or with "bytes"
//   lifeMs        the page leaves after so long
//   host          of the page; its own unless given, so that it is of another origin than the server
//   role          "page" or "browser", and not both: they may be on different hosts
//   open          where the browser finds the page, if something else passes it on
//   sandbox       the page is in a sandbox (Content-Security-Policy), so that its origin is "null"
"use strict";
const { plan, sleep } = require("./plan");
const { servePage, browse } = require("./chromium");

const MOST_MS = 40000; // a browser that does not come up
const HOST = plan.host || "127.0.0.1";
const WORDS = { text: '"word"', bytes: "new Uint8Array([1, 2, 3, 4]).buffer" };

const SCRIPT = `
const socket = io(${JSON.stringify(plan.url)}, ${JSON.stringify(plan.options || {})});
socket.on("connect", () => {
  tell("connect, transport " + socket.io.engine.transport.name);
  ${plan.hello ? `socket.emit("hello", ${WORDS[plan.hello]});` : ""}
});
socket.on("greeting", (word) => tell("event greeting " + word));
socket.on("disconnect", (reason) => tell("disconnect: " + reason));
socket.on("connect_error", (error) => tell("connect_error: " + error.message));
setTimeout(() => { socket.close(); setTimeout(() => tell("leaves"), 200); }, ${plan.lifeMs});
`;

const main = async () => {
  let leaves;
  const left = new Promise((resolve) => (leaves = resolve));
  const onTold = (text) => text === "leaves" && leaves();
  if (plan.role !== "browser") {
    await servePage(HOST, SCRIPT, { onTold, sandbox: plan.sandbox });
    console.log("LISTENING");
  }
  const end = plan.role !== "page" && browse(HOST, [], plan.open);
  process.on("SIGTERM", leaves);
  await Promise.race([left, sleep(MOST_MS)]);
  if (end) {
    await end();
  }
  process.exit(0);
};

main();
