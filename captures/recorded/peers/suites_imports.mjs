// SPDX-License-Identifier: GPL-2.0-or-later
// What the protocol test suites of Socket.IO import in Node.js: fetch, WebSocket and chai, with a log.
//
// record_suites.py puts this file beside a suite as its node-imports.js. The tests and what they send
// are the suite's. The lab's are:
// - where it connects to: the server of the lab instead of localhost;
// - where it connects from: another address in each test, so that each is a client by itself;
// - the end of a test: WebSockets that it left open are closed a moment later, or each of them would
//   die of a ping time-out in the middle of the tests that follow.
//
// The log (SUITES_LOG) has a line of JSON for each test: what this client sent and received, in order.
// Every event names its connection by the client's port. Text is a string, anything else
// { base64: ... }.

import chai from "chai";
import chaiString from "chai-string";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import nodeFetch from "node-fetch";
import { WebSocket as PlainWebSocket } from "ws";

const SERVER = process.env.SUITES_SERVER; // host:port
const NETWORK = process.env.SUITES_NETWORK; // the first three numbers of the client's addresses
const FIRST = Number(process.env.SUITES_FIRST); // the last number of the first test's address
const SETTLE_MS = 60; // for what is on its way when a test ends
const PATIENCE_MS = 2000;

const tests = [];
let current = null;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const there = (url) => url.replace("localhost:3000", SERVER);
const target = (url) => url.slice(url.indexOf("/", url.indexOf("//") + 2));

const value = (data) => {
  if (data === undefined || data === null) return null;
  if (typeof data === "string") return data;
  const bytes = Buffer.from(data);
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) && !text.includes("\0") ? text : { base64: bytes.toString("base64") };
};

// How one request reaches the server: from the test's address, and with a note of the port.
const dial = (test, seen) => (options) => {
  const socket = net.connect({ host: options.host, port: options.port, localAddress: test.client });
  socket.once("connect", () => {
    seen.port = socket.localPort;
    test.events.push({ ...seen, what: "connected" });
  });
  socket.once("close", () => test.events.push({ ...seen, what: "disconnected" }));
  return socket;
};

const fetch = async (url, options = {}) => {
  const test = current;
  const seen = { port: null };
  const agent = new http.Agent();
  agent.createConnection = dial(test, seen);
  const method = (options.method || "get").toUpperCase();
  const note = (what, more) => test.events.push({ port: seen.port, what, ...more });
  const asked = { method, target: target(url), body: value(options.body) };
  let answer;
  try {
    const pending = nodeFetch(there(url), { ...options, agent });
    pending.then(() => {}, () => {});
    answer = await pending;
    const body = Buffer.from(await answer.arrayBuffer());
    note("exchange", { ...asked, status: answer.status, answer: value(body) });
    return new answer.constructor(body, { status: answer.status, headers: answer.headers });
  } catch (error) {
    note("exchange", { ...asked, status: answer ? answer.status : null, error: error.name });
    throw error;
  }
};

class LoggedWebSocket extends PlainWebSocket {
  constructor(url) {
    const test = current;
    const seen = { port: null };
    // Each event in its own turn: the suite of revision 3 waits for "open" and only then for "message",
    // which come together when the server's first message is in the segment of its 101.
    super(there(url), { createConnection: dial(test, seen), allowSynchronousEvents: false });
    const note = (what, more) => test.events.push({ port: seen.port, what, ...more });
    this.note = note;
    this.on("upgrade", () => note("upgraded", { target: target(url) }));
    this.on("message", (data, binary) => note("received", { data: binary ? base64(data) : data.toString() }));
    this.on("error", (error) => note("failed", { error: error.message }));
    this.on("unexpected-response", async (_, answer) => {
      const body = Buffer.concat(await answer.toArray());
      note("answered", { target: target(url), status: answer.statusCode, answer: value(body) });
      this.terminate(); // as ws does itself when nobody listens: an error, and "close"
    });
    this.on("close", (code) => note("closed", { code }));
    test.sockets.push(this);
  }

  send(data) {
    if (this.readyState === PlainWebSocket.OPEN) {
      this.note("sent", { data: typeof data === "string" ? data : base64(data) });
    }
    super.send(data);
  }

  get pending() {
    return this.readyState !== PlainWebSocket.CLOSED;
  }
}

const base64 = (data) => ({ base64: Buffer.from(data).toString("base64") });

const until = async (holds) => {
  const end = Date.now() + PATIENCE_MS;
  while (!holds() && Date.now() < end) await sleep(5);
};

chai.use(chaiString);
Object.assign(globalThis, { chai, fetch, WebSocket: LoggedWebSocket });

beforeEach(function () {
  current = {
    title: this.currentTest.titlePath().join(" / "),
    client: `${NETWORK}.${FIRST + tests.length}`,
    state: "",
    error: null,
    events: [],
    sockets: [],
  };
  tests.push(current);
});

afterEach(async function () {
  const test = current;
  test.state = this.currentTest.state;
  test.error = this.currentTest.err ? this.currentTest.err.message.replace(/ \(\/\S*\)$/, "") : null;
  await until(() => test.sockets.every((socket) => socket.readyState !== PlainWebSocket.CONNECTING));
  await sleep(SETTLE_MS);
  for (const socket of test.sockets) if (socket.pending) socket.close();
  await until(() => !test.sockets.some((socket) => socket.pending));
  for (const socket of test.sockets) if (socket.pending) socket.terminate();
});

after(function () {
  const skipped = [];
  const walk = (suite) => {
    for (const test of suite.tests) if (test.pending) skipped.push(test.titlePath().join(" / "));
    suite.suites.forEach(walk);
  };
  walk(this.test.parent);
  for (const title of skipped) tests.push({ title, client: null, state: "skipped", error: null, events: [] });
});

process.on("exit", () => {
  const lines = tests.map(({ sockets, ...test }) => JSON.stringify(test) + "\n");
  fs.writeFileSync(process.env.SUITES_LOG, lines.join(""));
});
