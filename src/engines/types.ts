/** One line of what an engine did, for the program's log. Never a secret, never a value of a row. */
export type EngineLine = {
  level: "info" | "warn" | "error";
  event: string;
  [field: string]: unknown;
};
export type EngineLog = (line: EngineLine) => void;

export type EngineName = "postgres" | "clickhouse";
export type EngineState = { engine: EngineName; state: "up" | "down"; pid?: number };

/** An engine that runs: where it is reached, which process it is, how it ends. */
export type Running = {
  pid: () => number | undefined;
  /** Ends the child and waits for it. A second call waits for the same end. */
  stop: () => Promise<void>;
};
