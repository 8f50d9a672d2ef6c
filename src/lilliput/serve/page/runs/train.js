/** From a file to a training: drop it, see what was read, choose the time, start. */

import { announce, button, debounced, element, freshId, notice } from "/page/dom.js";
import { count, plural } from "/page/format.js";
import { runAddress } from "/page/runs/actions.js";
import { isAbort, post, request } from "/page/server.js";

const MINUTES = [1, 2, 5, 10, 20, 60];
const USUAL = 5;

class Train {
  constructor(root) {
    this.minutes = USUAL;
    this.problem = element("div", {});
    this.read = element("div", { class: "stack", hidden: true });
    root.append(
      element(
        "div",
        { class: "stack" },
        element("h1", {}, "Train a model"),
        element(
          "p",
          { class: "lead" },
          "Give it a text: poems, names, a diary, code. It learns to write like it, on this computer, while you watch.",
        ),
        this.createDrop(),
        this.createPaste(),
        this.problem,
        this.read,
      ),
    );
  }

  createDrop() {
    const id = freshId("file");
    const file = element("input", { id, type: "file", onchange: () => this.upload(file.files[0]) });
    this.file = file;
    const drop = element(
      "div",
      { class: "drop" },
      element("p", {}, element("label", { for: id }, "Drop a file here, or choose one")),
      file,
      element("p", { class: "quiet" }, "Plain text, or a table, a web page, Word, PDF, or a zip of many."),
    );
    const over = (on) => (event) => {
      event.preventDefault();
      drop.classList.toggle("over", on);
    };
    drop.addEventListener("dragover", over(true));
    drop.addEventListener("dragleave", over(false));
    drop.addEventListener("drop", (event) => {
      over(false)(event);
      this.upload(event.dataTransfer.files[0]);
    });
    this.drop = drop;
    return drop;
  }

  createPaste() {
    const id = freshId("paste");
    const text = element("textarea", { id, rows: 6, class: "book prompt-box", spellcheck: "false" });
    const use = button("Use this text", () => this.upload(new File([text.value], "pasted.txt")));
    return element(
      "details",
      { class: "paste" },
      element("summary", {}, "Or paste a text"),
      element("label", { for: id, class: "unseen" }, "Text to learn from"),
      text,
      element("div", { class: "row" }, use),
    );
  }

  fail(error) {
    if (!isAbort(error)) this.problem.replaceChildren(notice(error.message));
  }

  async upload(file) {
    if (!file) return;
    this.abort?.abort();
    this.abort = new AbortController();
    this.read.hidden = true;
    this.problem.replaceChildren(notice(`Reading ${file.name}…`, "hint"));
    try {
      // A copy as a plain Blob: the browser would otherwise send the file's own type.
      const path = `/api/uploads?name=${encodeURIComponent(file.name)}`;
      const reply = await request(path, {
        method: "POST",
        body: file.slice(0, file.size, "application/octet-stream"),
        signal: this.abort.signal,
      });
      this.problem.replaceChildren();
      this.show(reply);
    } catch (error) {
      this.fail(error);
    }
  }

  show(upload) {
    this.uploaded = upload;
    const nameId = freshId("name");
    this.name = element("input", {
      id: nameId,
      type: "text",
      value: upload.name,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.plan = element("table", { class: "plan" });
    this.start = button("Train", () => this.train(), { kind: "primary" });
    this.read.replaceChildren(
      element(
        "section",
        { class: "sheet", "aria-label": "What was read" },
        element("h2", {}, "What was read"),
        element(
          "p",
          { class: "numbers" },
          `${plural(upload.characters, "character")} in ${plural(upload.documents, "document")}.`,
        ),
        element(
          "blockquote",
          { class: "book start", tabindex: 0, "aria-label": "Start of the text" },
          upload.start + (upload.characters > 300 ? "…" : ""),
        ),
        upload.notes.length
          ? element(
              "ul",
              { class: "quiet" },
              upload.notes.map((note) => element("li", {}, note)),
            )
          : null,
      ),
      element(
        "section",
        { class: "sheet", "aria-label": "Time and plan" },
        this.createMinutes(),
        element("h2", {}, "The plan"),
        this.plan,
      ),
      element(
        "div",
        { class: "row ends" },
        element("div", {}, element("label", { for: nameId }, "Name of the run"), this.name),
        this.start,
      ),
    );
    this.read.hidden = false;
    announce(`Read ${count(upload.characters)} characters. Choose the minutes and train.`);
    this.fetchPlan();
  }

  createMinutes() {
    const name = freshId("minutes");
    const ownId = freshId("own");
    const change = debounced(() => this.fetchPlan(), 300);
    const own = element("input", {
      id: ownId,
      type: "number",
      min: 0.1,
      step: "any",
      placeholder: "own",
      oninput: () => {
        const value = Number(own.value);
        if (!(value > 0)) return;
        this.minutes = value;
        for (const radio of choice.querySelectorAll("input")) radio.checked = false;
        change();
      },
    });
    const choice = element(
      "div",
      { class: "choice" },
      MINUTES.map((minutes) => {
        const radio = element("input", {
          type: "radio",
          name,
          value: minutes,
          checked: minutes === this.minutes,
          onchange: () => {
            this.minutes = minutes;
            own.value = "";
            change();
          },
        });
        return element("label", {}, radio, String(minutes));
      }),
    );
    return element(
      "fieldset",
      { class: "minutes" },
      element("legend", {}, "Minutes of training"),
      element(
        "div",
        { class: "row" },
        choice,
        element("label", { for: ownId }, "or"),
        own,
        element("span", { class: "quiet" }, "minutes"),
      ),
    );
  }

  async fetchPlan() {
    this.planAbort?.abort();
    this.planAbort = new AbortController();
    this.plan.setAttribute("aria-busy", "true");
    try {
      const { rows } = await post(
        "/api/plans",
        { upload: this.uploaded.upload, minutes: this.minutes },
        this.planAbort.signal,
      );
      this.problem.replaceChildren();
      this.plan.replaceChildren(
        element(
          "tbody",
          {},
          rows.map(([key, value]) =>
            element("tr", {}, element("th", { scope: "row" }, key), element("td", { class: "numbers" }, value)),
          ),
        ),
      );
    } catch (error) {
      this.fail(error);
    }
    this.plan.removeAttribute("aria-busy");
  }

  async train() {
    const name = this.name.value.trim();
    if (!name) {
      this.problem.replaceChildren(notice("Give the run a name."));
      this.name.focus();
      return;
    }
    this.start.disabled = true;
    try {
      const reply = await post("/api/runs", { upload: this.uploaded.upload, minutes: this.minutes, name });
      this.read.hidden = true;
      this.file.value = "";
      location.hash = runAddress(reply.name);
    } catch (error) {
      this.fail(error);
      this.problem.scrollIntoView({ block: "nearest" });
    }
    this.start.disabled = false;
  }
}

export function createTrain(root) {
  new Train(root);
  return {};
}
