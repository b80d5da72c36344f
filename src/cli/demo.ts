export async function demo(_options: object): Promise<0> {
  return 0;
}
