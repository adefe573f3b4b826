// A page that asks whoever serves it for what is new, about once a second.

const KEPT = new Set(["open"]); // attributes that the reader sets

const nameOf = (node) => node.id || node.dataset?.run || node.dataset?.row || "";

/** Make a part of the page like a new one, and leave what is equal as it is. */
function morph(old, now) {
  if (old.nodeName !== now.nodeName) return old.replaceWith(now);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  if (old.hasAttribute("data-own")) return;
  const named = new Map([...old.children].filter(nameOf).map((child) => [nameOf(child), child]));
  let at = old.firstChild;
  for (const child of [...now.childNodes]) {
    const name = nameOf(child);
    const like = name ? named.get(name) : at && !nameOf(at) && at.nodeName === child.nodeName ? at : null;
    if (!like) {
      old.insertBefore(child, at);
      continue;
    }
    if (like === at) at = at.nextSibling;
    else old.insertBefore(like, at);
    morph(like, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function parsed(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return document.importNode(holder.content.querySelector("section"), true);
}

function take(news) {
  data.version = news.version;
  Object.assign(data.tables, news.tables);
  Object.assign(data.runs, news.runs);
  document.title = news.title;
  document.getElementById("title").textContent = news.title;
  const main = document.querySelector("main"), sections = [...main.querySelectorAll(":scope > section")];
  for (const section of sections) if (!news.order.includes(section.id)) section.remove();
  const stale = new Set(Object.keys(news.tables));
  for (const [id, html] of Object.entries(news.html)) {
    const now = parsed(html), old = document.getElementById(id);
    if (old) {
      arrange(now);
      morph(old, now);
    } else {
      const after = news.order.slice(0, news.order.indexOf(id)).map((i) => document.getElementById(i)).filter(Boolean).pop();
      after ? after.after(now) : main.append(now);
    }
    stale.add(id);
  }
  for (const [id, table] of Object.entries(data.tables)) {
    if (table.rows.some((row) => row.runs.some((key) => key in news.runs))) stale.add(id);
  }
  for (const id of stale) {
    const section = document.getElementById(id);
    if (section) refresh(section);
  }
  if (Object.keys(news.runs).length) arrange(document.getElementById("runs"));
}

let lost = null;

async function ask() {
  const line = document.getElementById("live");
  try {
    const answer = await fetch(`now?since=${data.version}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    take(await answer.json());
    lost = null;
    line.textContent = "Live";
    line.className = "live";
  } catch (error) {
    lost ??= new Date();
    line.className = "lost";
    line.textContent = `No answer from ganlib watch since ${lost.toLocaleTimeString()}. `
      + "The runs go on by themselves; once it is started again, so does this page.";
  }
  setTimeout(ask, document.hidden ? 5000 : 1000);
}

document.documentElement.classList.add("scripted");
document.querySelectorAll("main section").forEach(refresh);
ask();
