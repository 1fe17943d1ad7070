declare module "virtual:endpoints" {
  /** domain → name → the endpoint without its schemas. Made from src/*\/api.ts when the console is built. */
  export const endpoints: Record<
    string,
    Record<string, { method: string; path: string; permission: string }>
  >;
}
