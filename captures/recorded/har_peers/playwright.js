// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a page in Chromium by Playwright, which records a HAR of it; see record_har.py.
"use strict";

const { chromium } = require("playwright-core");

const plan = JSON.parse(process.argv[2]);

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ recordHar: { path: plan.out, urlFilter: /socket\.io\/|:3000\/$/ } });
  const page = await context.newPage();
  await page.goto(plan.url);
  await page.waitForFunction(() => document.title === "DONE");
  await context.close();
  await browser.close();
  console.log("LOG exported");
})();
