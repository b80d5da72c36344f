/** Reading what people type for a ticket that has a number: `7`, `#7`, `container#7`. */

const NUMBER = /^[1-9]\d{0,15}$/;
const REFERENCE = /^(.*)#(\d+)$/;

/** The number as text without a leading `#`; undefined when it is none, or names another container. */
export function readTicketNumber(text: string, container: string): string | undefined {
  if (NUMBER.test(text)) return text;
  const [, named, number] = REFERENCE.exec(text) ?? [];
  if (number === undefined || !NUMBER.test(number)) return undefined;
  return named === '' || named?.toLowerCase() === container.toLowerCase() ? number : undefined;
}
