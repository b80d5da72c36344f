/**
 * Characters that show nothing, and change how a text reads: they turn the direction of writing around, or hide something in
 * the middle of a word. A failed run must not read like one that is done, so what others wrote is shown without them.
 */

/**
 * The format characters of Unicode that are not drawn, in the words of Unicode. The two that join letters and emoji, or keep
 * them apart, stay: words of many languages are not spelled right without them.
 */
const INVISIBLE = /[[\p{Cf}&&\p{Default_Ignorable_Code_Point}]--[\u200C\u200D]]/gv;

export function withoutInvisible(text: string): string {
  return text.replaceAll(INVISIBLE, '');
}
