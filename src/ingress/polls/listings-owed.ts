/**
 * Redis may lose its data, and with it deliveries that were taken in: no listing that is due has to find what they told of.
 * So every project owes one complete listing after a loss. What is remembered here outlasts terms, not the process.
 */
export interface ListingsOwed {
  /** The loss after which no listing of the project was complete; undefined when there is none. */
  owed(project: string): string | undefined;
  /** The project has been listed after that loss, and every ticket on the list decided about. */
  settle(project: string, loss: string): void;
}

/** @param lossOfData names the last loss that Redis has recovered from; undefined when there was none of late */
export function createListingsOwed(lossOfData: () => string | undefined): ListingsOwed {
  const listedAfter = new Map<string, string>();
  return {
    owed(project) {
      const loss = lossOfData();
      return listedAfter.get(project) === loss ? undefined : loss;
    },
    settle: (project, loss) => void listedAfter.set(project, loss),
  };
}
