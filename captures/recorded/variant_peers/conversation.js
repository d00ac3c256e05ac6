// SPDX-License-Identifier: GPL-2.0-or-later
// What the client of most variants says, in Node and in browsers, to servers of every line of
// socket.io, and how both sides describe the packets that they encode. Loaded by `require` in Node;
// in a page it is `window.conversation`.

"use strict";

(function (root) {
  const TYPES = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"];

  // What transports have to escape, count or encode: astral and combining characters, line ends, the
  // two line ends that JavaScript once did not allow in strings, backslashes before letters, quotes.
  const TEXTS = [
    "안녕하세요 👋🏽 𝄞 €",
    "first\nsecond\r\nthird, \\n is two characters, \\\\n three, \\",
    "\"double\" 'single' <b>&amp;</b> 100 % + \u2028 \u2029 \u00a0 \u0007 \ufeff",
  ];

  // Each width of number that msgpack knows, and the kinds of value that JSON has.
  const VALUES = [
    [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296],
    [-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649],
    [21.5, -0.1, 1e300, true, false, null, [], {}, ""],
    { "온도 🌡️": 21.5, deep: { deeper: { list: ["a", ["b"]] } }, long: "x".repeat(300) },
  ];

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const connected = (socket) =>
    new Promise((resolve, reject) => {
      for (const name of ["error", "connect_error"]) {
        socket.on(name, (error) => reject(new Error(`${name}: ${error && error.message} ${error}`)));
      }
      socket.on("connect", resolve);
    });

  const call = (socket, ...args) => new Promise((resolve) => socket.emit(...args, resolve));

  const expect = (found, wanted) => {
    if (found !== wanted) throw new Error(`expected ${wanted}, found ${found}`);
  };

  const size = (data) => (data.byteLength === undefined ? data.length : data.byteLength);

  // `blob(n)` makes n bytes in the form that the platform sends; null where no binary is wanted.
  const listen = (socket, blob) => {
    socket.on("question", (text, ack) => ack(`답: ${text}`));
    socket.on("frames", (frames, more, ack) => {
      expect(size(frames[0]) + size(frames[1]) + size(more.last), 256 + 1 + 400);
      ack(blob(657));
    });
  };

  const converse = async (socket, blob, texts, oneByOne) => {
    socket.emit("values", VALUES);
    if (oneByOne) {
      for (const text of texts) expect(await call(socket, "hello", text), text);
    } else {
      // All at once, so that one payload of polling holds several packets.
      const echoes = await Promise.all(texts.map((text) => call(socket, "hello", text)));
      texts.forEach((text, i) => expect(echoes[i], text));
    }
    expect(await call(socket, "ask back"), "답: 이름이 뭐예요? 🙋");
    if (blob) {
      const picture = { pixels: blob(400), palette: [blob(256), blob(3)], name: "그림.png" };
      const reply = await call(socket, "picture", picture);
      expect(reply.bytes, 400);
      expect(size(reply.thumb), 100);
      expect(await call(socket, "send frames"), 657);
    }
  };

  // The whole conversation on a manager that is not open yet; returns the number of heartbeats.
  const talk = async (manager, config, blob) => {
    const socket = (name) => {
      const made = manager.socket(name);
      listen(made, blob);
      return made;
    };
    const first = socket("/");
    await connected(first);
    let heartbeats = 0;
    // The server's ping in revision 4, its pong before: each comes once in a heartbeat.
    manager.engine.on("packet", ({ type }) => (heartbeats += type === "ping" || type === "pong"));
    await converse(first, blob, TEXTS, config.one_by_one);
    const admin = socket(config.namespace);
    await connected(admin);
    await converse(admin, config.brief ? null : blob, TEXTS.slice(0, 1), true);
    await sleep(config.silence_ms);
    expect(await call(first, "hello", "still there"), "still there");
    const transport = manager.engine.transport.name;
    admin.disconnect();
    if (config.closes) {
      // Version 1.0 would drop the last DISCONNECT, as it closes at the same time.
      await sleep(200);
      manager.close();
    } else {
      first.disconnect();
    }
    return { heartbeats, transport };
  };

  const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

  // The byte strings inside `value`, in the order in which a parser writes them.
  const bytesInside = (value) => {
    if (isBytes(value)) return [value];
    if (value === null || typeof value !== "object") return [];
    return Object.values(value).flatMap(bytesInside);
  };

  // A line of the truth, its binary parts still as bytes: `attachments` go separately after the
  // packet; `binary` are inside the packet, as msgpack has them.
  const describe = (side, packet, encoded) => {
    const ownParser = typeof encoded[0] !== "string" || encoded[0][0] === "{";
    const type = TYPES[ownParser ? packet.type : Number(encoded[0][0])];
    const [namespace, query] = (packet.nsp || "/").split("?");
    const line = {
      time: (performance.timeOrigin + performance.now()) / 1000,
      side,
      type,
      namespace,
      id: packet.id === undefined ? null : packet.id,
      event: type.endsWith("EVENT") ? packet.data[0] : null,
      attachments: encoded.slice(1),
    };
    if (query !== undefined) line.query = query;
    const inside = typeof encoded[0] === "string" ? [] : bytesInside(packet.data);
    if (inside.length) line.binary = inside;
    return line;
  };

  // From now on `log` gets a description of each packet that `encoder` (or a prototype) encodes.
  const watch = (encoder, side, log) => {
    const { encode } = encoder;
    encoder.encode = function (packet, callback) {
      const before = { ...packet }; // some versions change the packet that they encode
      if (!callback) {
        const encoded = encode.call(this, packet);
        log(describe(side, before, encoded));
        return encoded;
      }
      return encode.call(this, packet, (encoded) => {
        log(describe(side, before, encoded));
        callback(encoded);
      });
    };
  };

  const exported = { talk, describe, watch, connected, call, sleep, TEXTS };
  if (typeof module === "object") module.exports = exported;
  else root.conversation = exported;
})(this);
