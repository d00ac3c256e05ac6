// SPDX-License-Identifier: GPL-2.0-or-later
// The browser client of the variants, for every build of socket.io-client since 1.0.

"use strict";

(() => {
  const { talk, watch } = window.conversation;
  const { config } = window;
  const lines = [];

  const base64 = (data) => {
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    return btoa(String.fromCharCode(...bytes));
  };

  const blob = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 23 + size) & 255).buffer;

  const post = (url, text) => fetch(url, { method: "POST", body: text });

  const main = async () => {
    const manager = new io.Manager(config.url, { path: config.path, reconnection: false, ...config.options });
    watch(manager.encoder, "client", (line) => {
      for (const kind of ["attachments", "binary"]) if (line[kind]) line[kind] = line[kind].map(base64);
      lines.push(line);
    });
    const said = await talk(manager, config, config.binary ? blob : null);
    await window.conversation.sleep(500); // for the goodbye to leave
    await post("/truth", JSON.stringify(lines));
    await post("/done", JSON.stringify(said));
  };

  main().catch((error) => post("/done", JSON.stringify({ error: `${error} ${error.stack}` })));
})();
