/** Questions to the user, as modal dialogs. */

import { button, element, freshId } from "/page/dom.js";

function ask(title, body, answers) {
  return new Promise((resolve) => {
    const id = freshId("dialog");
    const before = document.activeElement;
    let result = null;
    const dialog = element("dialog", { "aria-labelledby": id });
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const row = element(
      "div",
      { class: "row end" },
      answers.map((answer) =>
        button(answer.text, () => close(answer.value()), { kind: answer.kind ?? "", autofocus: answer.first }),
      ),
    );
    dialog.append(element("h2", { id }, title), ...body, row);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement) before.focus();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Whether the user confirms; Escape means no. */
export async function confirm(title, text, action) {
  const answers = [
    { text: "Cancel", value: () => false, first: true },
    { text: action, value: () => true, kind: "danger" },
  ];
  return (await ask(title, [element("p", {}, text)], answers)) === true;
}

/** The token that the server asks for, or null. */
export async function askForToken(message) {
  const id = freshId("token");
  const input = element("input", { id, type: "password", autocomplete: "off", class: "wide" });
  const body = [
    element("p", {}, message),
    element("label", { for: id }, "Token (the server printed it when it started)"),
    input,
  ];
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") input.closest("dialog").querySelector("button.primary").click();
  });
  const answer = ask("This server needs a token", body, [
    { text: "Cancel", value: () => null },
    { text: "Go on", value: () => input.value.trim() || null, kind: "primary" },
  ]);
  input.focus();
  return answer;
}
