// Draws the server's OpenAPI document, with a form to try each model.
// Whatever comes from the document or from a model becomes text, never markup.

const ROOT = new URL("..", import.meta.url);
const VIEW = document.body.dataset.view;
const JSON_TYPE = "application/json";
const FORM_TYPE = "multipart/form-data";
const LONGEST_SHOWN = 200_000;
const DEEPEST = 6;
const TONES = { ok: "good", degraded: "wait", loading: "wait", draining: "wait" };

let told; // the document
let key = ""; // what opens the routes that want one: kept here, and nowhere else

// --- parts ------------------------------------------------------------------------------------

function el(tag, traits = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

function badge(node, words, tone) {
  node.textContent = words;
  node.className = `badge ${tone || ""}`;
}

// --- schemas ----------------------------------------------------------------------------------

function found(part) {
  if (!part || !part.$ref) return part || {};
  const { $ref, ...beside } = part;
  const there = $ref.slice(2).split("/").reduce((at, step) => at?.[step], told) || {};
  return { ...there, ...beside };
}

function example(part, depth = 0) {
  const schema = found(part);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (depth > DEEPEST) return null;
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return example(choices.find((one) => one.type !== "null") || choices[0], depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(one, depth + 1)));
  return exampleOfType(schema, [schema.type].flat()[0], depth);
}

function exampleOfType(schema, type, depth) {
  if (type === "object") {
    const fields = Object.entries(schema.properties || {}).map(([name, field]) =>
      [name, found(field).default === null ? null : example(field, depth + 1)]);
    return Object.fromEntries(fields);
  }
  if (type === "array") {
    if (schema.prefixItems) return schema.prefixItems.map((one) => example(one, depth + 1));
    return schema.items && depth < DEEPEST ? [example(schema.items, depth + 1)] : [];
  }
  if (type === "string") return exampleOfText(schema);
  if (type === "boolean") return true;
  if (type === "null") return null;
  if (type === "integer" || type === "number") {
    const least = schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1;
    return least <= 1 && (schema.maximum ?? 1) >= 1 ? 1 : least;
  }
  return {};
}

function exampleOfText(schema) {
  const texts = {
    "date-time": "2026-01-31T12:00:00Z", date: "2026-01-31", time: "12:00:00Z", duration: "PT1H",
    uuid: "00000000-0000-4000-8000-000000000000", decimal: "1.50", email: "name@host.invalid",
  };
  if (schema.contentEncoding === "base64") return "";
  return (texts[schema.format] || "text").padEnd(schema.minLength || 0, "t");
}

function words(part) {
  if (part?.$ref) {
    const name = part.$ref.split("/").pop();
    return el("a", { href: `${new URL("-/docs", ROOT)}#schema-${name}` }, name);
  }
  const schema = part || {};
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return joined(choices.map(words), " or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.format === "binary") return `file (${schema.contentMediaType || "any"})`;
  if (schema.contentEncoding) return `${schema.contentEncoding} (${schema.contentMediaType || "bytes"})`;
  if (schema.type === "array") return joined(["list of ", words(schema.items)], "");
  const type = [schema.type].flat().filter(Boolean).join(" or ") || "anything";
  return [type, schema.format && `(${schema.format})`, bounds(schema)].filter(Boolean).join(" ");
}

function bounds(schema) {
  const told = [["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"]];
  return told.filter(([key]) => schema[key] !== undefined).map(([key, sign]) => `${sign} ${schema[key]}`).join(" ");
}

function joined(parts, between) {
  return el("span", {}, ...parts.flatMap((part, at) => (at ? [between, part] : [part])));
}

function drawn(part) {
  const schema = found(part);
  if (!schema.properties) return el("p", {}, words(part));
  const needed = new Set(schema.required || []);
  return el("table", {}, el("tbody", {}, ...Object.entries(schema.properties).map(([name, field]) => {
    const standard = found(field).default;
    const note = needed.has(name) ? "required" : standard === undefined ? "" : `default ${JSON.stringify(standard)}`;
    return el("tr", {}, el("td", {}, el("code", {}, name)),
      el("td", {}, words(field), field.description ? el("p", { class: "quiet" }, field.description) : ""),
      el("td", { class: "quiet" }, note));
  })));
}

function listed(title, content) {
  return el("section", {}, el("h3", {}, title), ...Object.entries(content).map(([media, { schema }]) =>
    el("div", {}, el("code", {}, media), schema ? drawn(schema) : "")));
}

// --- what to send -----------------------------------------------------------------------------

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// An editor is {node, body(), curl()}: what is shown, what is sent, the same for a shell.

function textEditor(media, schema) {
  const start = media === JSON_TYPE ? JSON.stringify(example(schema), null, 2) : "text";
  const area = el("textarea", {
    name: "body", spellcheck: false, value: start, rows: Math.min(16, start.split("\n").length + 1),
  });
  return {
    node: el("label", {}, media === JSON_TYPE ? "JSON" : media, area),
    body: () => [area.value, media],
    curl: () => media === JSON_TYPE ? ["--json", quoted(compact(area.value))]
      : ["-H", quoted(`Content-Type: ${media}`), "--data-binary", quoted(area.value)],
  };
}

function compact(text) {
  try {
    return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

function fileEditor(media) {
  const accept = media.includes("*/*") || media === "application/octet-stream" ? "" : media;
  const input = el("input", { type: "file", name: "body", accept });
  const typeOf = (file) => (media.includes("*") ? file?.type || "application/octet-stream" : media);
  return {
    node: el("label", {}, `file (${media})`, input),
    body: () => [input.files[0] || "", typeOf(input.files[0])],
    curl: () => ["--data-binary", `@${quoted(input.files[0]?.name || "file")}`,
      "-H", quoted(`Content-Type: ${typeOf(input.files[0])}`)],
  };
}

function formEditor(schema) {
  const needed = new Set(schema.required || []);
  const fields = Object.entries(schema.properties || {}).map(([name, field]) => formField(name, field, needed.has(name)));
  return {
    node: el("div", {}, ...fields.map((field) => field.node)),
    body: () => {
      const form = new FormData();
      for (const { name, values } of fields) for (const value of values()) form.append(name, value);
      return [form, null]; // the browser writes the type, for it knows the boundary
    },
    curl: () => fields.flatMap((field) => field.told().flatMap((value) => ["-F", quoted(`${field.name}=${value}`)])),
  };
}

function formField(name, field, needed) {
  const schema = found(field);
  const file = schema.format === "binary" ? schema : schema.items?.format === "binary" ? schema.items : null;
  const note = `${name}${needed ? "" : " (optional)"}`;
  if (file) {
    const input = el("input", { type: "file", name, multiple: file !== schema });
    const told = () => (input.files.length ? [...input.files] : [{ name: "file" }]).map((one) => `@${one.name}`);
    return { name, node: el("label", {}, note, input), values: () => [...input.files], told };
  }
  const start = needed || schema.default ? example(field) : "";
  const input = el("input", { name, value: typeof start === "string" ? start : JSON.stringify(start) });
  const values = () => (input.value || needed ? [input.value] : []);
  return { name, node: el("label", {}, note, input), values, told: values };
}

function editorOf(media, schema) {
  if (media === FORM_TYPE) return formEditor(found(schema));
  if (media === JSON_TYPE || media.endsWith("+json") || media.startsWith("text/")) return textEditor(media, schema);
  return fileEditor(media);
}

// --- try it -----------------------------------------------------------------------------------

function tryIt(path, operation) {
  const url = new URL(path.slice(1), ROOT);
  const content = operation.requestBody?.content || {};
  const place = el("div");
  const curl = el("pre", { class: "curl" });
  const answer = el("div", { class: "reply" });
  const send = el("button", { type: "submit" }, "Send");
  const choice = el("select", { name: "media" }, ...Object.keys(content).map((media) => el("option", { value: media }, media)));
  let editor = { node: el("p", { class: "quiet" }, "It reads no body."), body: () => ["", null], curl: () => ["-X", "POST"] };
  const locked = Boolean(operation.security?.length);
  const opening = locked ? ["-H", '"Authorization: Bearer $KEY"'] : []; // the shell's, for the key is not to be shown
  let running = null;

  const tell = () => { curl.textContent = ["curl", ...opening, ...editor.curl(), url.href].join(" "); };
  const choose = () => {
    if (choice.value) editor = editorOf(choice.value, content[choice.value].schema || {});
    place.replaceChildren(editor.node);
    tell();
  };
  const submit = async (event) => {
    event.preventDefault();
    if (running) { running.abort(); return; }
    running = new AbortController();
    send.textContent = "Stop";
    try {
      await exchange(url, request(editor.body(), locked), answer, running.signal);
    } finally {
      running = null;
      send.textContent = "Send";
    }
  };
  const copy = el("button", { type: "button", class: "small", onclick: () => navigator.clipboard?.writeText(curl.textContent) }, "copy");
  const form = el("form", {
    onsubmit: submit, oninput: tell, onchange: tell,
    onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); },
  }, locked ? keyField() : "", choice.length > 1 ? el("label", {}, "media type", choice) : "", place, el("div", { class: "row" }, send),
  el("details", {}, el("summary", {}, "curl"), curl, copy), answer);
  choice.addEventListener("change", choose);
  choose();
  return form;
}

function keyField() {
  const told = (event) => {
    key = event.target.value.trim();
    for (const field of document.querySelectorAll("input.key")) if (field !== event.target) field.value = key;
  };
  const field = el("input", { type: "password", class: "key", autocomplete: "off", spellcheck: false, oninput: told });
  return el("label", {}, "key (kept until this page is closed)", field);
}

function request([body, media], locked) {
  const headers = media ? { "Content-Type": media } : {};
  if (locked && key) headers.Authorization = `Bearer ${key}`;
  return { method: "POST", body, headers };
}

async function exchange(url, asked, place, signal) {
  const state = el("span", { class: "badge", role: "status" }, "waiting");
  const figures = el("span", { class: "quiet figures" });
  const shown = el("div");
  place.replaceChildren(el("div", { class: "row" }, state, figures), shown);
  const began = performance.now();
  const took = () => `${(performance.now() - began).toFixed(1)} ms`;
  let first = "";
  const begun = () => { first = `first byte after ${took()}, `; figures.textContent = `${first}more to come`; };
  try {
    const reply = await fetch(url, { ...asked, signal });
    badge(state, `${reply.status} ${reply.statusText}`, reply.ok ? "good" : "bad");
    figures.textContent = took();
    const headers = [...reply.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    place.append(el("details", {}, el("summary", {}, "headers"), el("pre", { class: "headers" }, headers)));
    const size = await shownAsItComes(reply, shown, begun);
    figures.textContent = `${first}${first ? "last after " : ""}${took()}, ${size.toLocaleString("en")} bytes`;
  } catch (error) {
    badge(state, error.name === "AbortError" ? "stopped" : "no answer", "bad");
    figures.textContent = `${first}${first ? "ended after " : ""}${took()} ${error.name === "AbortError" ? "" : error.message}`;
  }
}

async function shownAsItComes(reply, shown, begun) {
  const media = reply.headers.get("content-type") || "";
  if (!/json|text|xml|event-stream|javascript/.test(media)) return shownWhole(await reply.blob(), media, shown);
  const text = document.createTextNode("");
  shown.replaceChildren(el("pre", { class: "answer" }, text));
  const reader = reply.body?.getReader();
  const decoder = new TextDecoder();
  let size = 0;
  let length = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) || { done: true };
    const part = value ? decoder.decode(value, { stream: true }) : decoder.decode();
    if (length <= LONGEST_SHOWN) text.appendData(part.slice(0, LONGEST_SHOWN - length)); // an endless stream costs no more
    if (length <= LONGEST_SHOWN && length + part.length > LONGEST_SHOWN) text.appendData("\n...");
    length += part.length;
    if (done) break;
    if (!size) begun();
    size += value.length;
  }
  if (/\bjson\b/.test(media) && length < LONGEST_SHOWN && !/\d{16}/.test(text.data)) text.data = pretty(text.data);
  return size;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function shownWhole(blob, media, shown) {
  if (!blob.size) return 0;
  const url = URL.createObjectURL(blob);
  const link = el("p", {}, el("a", { href: url, download: "answer" }, `save the answer (${media || "no type"})`));
  shown.replaceChildren(media.startsWith("image/") ? el("img", { class: "answer", src: url, alt: "the answer" }) : "", link);
  return blob.size;
}

// --- the page ---------------------------------------------------------------------------------

function modelCard(path, operation) {
  const title = operation.summary === operation.operationId ? "" : operation.summary;
  return el("section", { class: "card model", id: `model-${operation.operationId}` },
    el("div", { class: "row" }, el("h2", {}, operation.operationId), el("span", { class: "verb" }, "POST"),
      el("span", { class: "path" }, path), el("span", { class: "badge push", "data-model": operation.operationId })),
    title ? el("p", {}, title) : "",
    operation.description ? el("p", { class: "quiet words" }, operation.description) : "",
    VIEW === "docs" ? listed("takes", operation.requestBody?.content || {}) : "",
    VIEW === "docs" ? listed("gives", operation.responses["200"].content) : "",
    VIEW === "docs" ? refusals(operation) : "",
    VIEW === "docs" ? el("h3", {}, "try it") : "",
    tryIt(path, operation));
}

function refusals(operation) {
  const rows = Object.entries(operation.responses).filter(([status]) => status !== "200").map(([status, response]) =>
    el("tr", {}, el("td", {}, el("code", {}, status)), el("td", {}, found(response).description)));
  return el("details", {}, el("summary", {}, "other endings"), el("table", {}, el("tbody", {}, ...rows)));
}

function isModel(operation) {
  return Boolean(operation?.tags.includes("models"));
}

function operationsCard(paths) {
  const all = paths.flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => [path, method, operation]));
  const rows = all.filter(([, , operation]) => !isModel(operation)).map(([path, method, { summary }]) => {
    const shown = el("code", {}, method === "get" ? path : `${method.toUpperCase()} ${path}`);
    const leads = method === "get" && !path.includes("{");
    return el("tr", {}, el("td", {}, leads ? el("a", { href: new URL(path.slice(1), ROOT).href }, shown) : shown), el("td", {}, summary));
  });
  return el("section", { class: "card" }, el("h2", {}, "operations"), el("table", {}, el("tbody", {}, ...rows)));
}

function schemasCard() {
  const all = Object.entries(told.components.schemas).map(([name, schema]) =>
    el("section", { id: `schema-${name}` }, el("h3", {}, name),
      schema.description ? el("p", { class: "quiet words" }, schema.description) : "", drawn(schema),
      el("details", {}, el("summary", {}, "JSON Schema"), el("pre", {}, JSON.stringify(schema, null, 2)))));
  return el("section", { class: "card schemas" }, el("h2", {}, "schemas"), ...all);
}

async function showStates() {
  const whole = document.getElementById("state");
  try {
    const { status, deployments } = await (await fetch(new URL("-/health/ready", ROOT))).json();
    badge(whole, status, TONES[status] || "bad");
    for (const node of document.querySelectorAll("[data-model]")) {
      const state = deployments[node.dataset.model] || "";
      badge(node, state, `push ${TONES[state] || "bad"}`);
    }
  } catch {
    badge(whole, "no answer", "bad");
  }
}

async function begin() {
  told = await (await fetch(new URL("-/openapi.json", ROOT))).json();
  const paths = Object.entries(told.paths);
  const models = paths.filter(([, { post }]) => isModel(post)).map(([path, { post }]) => modelCard(path, post));
  const more = VIEW === "docs" ? [operationsCard(paths), schemasCard()] : [];
  document.getElementById("main").replaceChildren(...models, ...more);
  document.title = `${told.info.title} - Headrace`;
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  await showStates();
  setInterval(() => { if (!document.hidden) showStates(); }, 5000);
}

begin().catch((error) => {
  document.getElementById("main").replaceChildren(el("p", { class: "quiet" }, `This page could not be drawn: ${error.message}`));
});
