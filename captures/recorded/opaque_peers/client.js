// SPDX-License-Identifier: GPL-2.0-or-later
// A client that ends after `forMs`: node client.js PLAN
//   kind    socketio, websocket, http2 or http
//   url, address, ca     `address` is what every name resolves to
//   options    of socket.io-client
//   saysMs, says, pongs     of websocket: what is said how long after the opening; whether "2" is answered with "3"
//   everyMs, agent     of http2 (PING) and http (requests)
"use strict";
const fs = require("fs");
const dns = require("dns");
const plan = JSON.parse(process.argv[2]);
const ca = plan.ca && fs.readFileSync(plan.ca);
dns.lookup = (name, options, done) => {
  if (typeof options === "function") [done, options] = [options, {}];
  return options.all ? done(null, [{ address: plan.address, family: 4 }]) : done(null, plan.address, 4);
};
const say = (...words) => console.log("LOG", ...words);

const kinds = {
  socketio() {
    const library = require("socket.io-client");
    const socket = (library.io || library)(plan.url, { ca, rejectUnauthorized: true, ...plan.options });
    socket.on("connect", () => {
      say("connect");
      socket.emit("add", 2, 3, (sum) => say("sum", sum));
    });
    socket.on("disconnect", (reason) => say("disconnect", reason));
    const failed = (error) => say("connect_error", error.message);
    socket.on("connect_error", failed);
    return () => socket.close();
  },
  websocket() {
    const WebSocket = require("ws");
    let socket;
    let over = false;
    const open = () => {
      socket = new WebSocket(plan.url, { ca, perMessageDeflate: false });
      let timer;
      socket.on("message", (data) => {
        const text = String(data);
        if (text[0] === "0") socket.send("40");
        if (text === "2" && plan.pongs) socket.send("3");
      });
      socket.on("open", () => {
        say("open");
        if (plan.saysMs) timer = setInterval(() => socket.send(plan.says), plan.saysMs);
      });
      socket.on("error", (error) => say("error", error.message));
      socket.on("close", (code) => {
        clearInterval(timer);
        say("close", code);
        if (!over) setTimeout(open, 500);
      });
    };
    open();
    return () => {
      over = true;
      socket.close(1000);
    };
  },
  http2() {
    const session = require("http2").connect(plan.url, { ca, lookup: dns.lookup });
    const stream = session.request({ ":path": "/" });
    stream.on("data", () => {});
    const timer = plan.everyMs && setInterval(() => session.ping(() => {}), plan.everyMs);
    return () => {
      clearInterval(timer);
      session.destroy();
    };
  },
  http() {
    const https = require("https");
    const agent = new https.Agent({ keepAlive: plan.agent });
    const ask = () => {
      const request = https.get(plan.url, { ca, agent }, (response) => response.on("data", () => {}));
      request.on("error", (error) => say("error", error.message));
    };
    ask();
    const timer = setInterval(ask, plan.everyMs);
    return () => {
      clearInterval(timer);
      agent.destroy();
    };
  },
};

const end = kinds[plan.kind]();
setTimeout(() => {
  end();
  setTimeout(() => process.exit(0), 300);
}, plan.forMs);
