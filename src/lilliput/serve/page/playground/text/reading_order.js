/** Models of reversed lines write each line from its end: the order of their tokens is not that of the text. */

/** The indexes of the tokens in the order in which people read them. */
export function readingOrder(tokens, backwards) {
  const order = [];
  let line = [];
  tokens.forEach((token, index) => {
    if (backwards && !token.text.includes("\n")) {
      line.push(index);
      return;
    }
    order.push(...line.reverse(), index);
    line = [];
  });
  return [...order, ...line.reverse()];
}

/** The text of some tokens. */
export function joined(tokens, backwards) {
  return readingOrder(tokens, backwards)
    .map((index) => tokens[index].text)
    .join("");
}
