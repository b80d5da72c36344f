/** A request's body as JSON, whatever its content type says; what is broken each platform answers in its own words. */
export function parseJson(text: string): { readonly value: unknown } | 'broken' {
  if (text === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return 'broken';
  }
}
