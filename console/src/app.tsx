import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { onSignedOut, Problem } from "./ui/call.ts";
import { WordsProvider, type Words } from "./ui/words.tsx";
import { makeRouter } from "./routes.tsx";

const waits = (failures: number) => Math.min(500 * 2 ** failures, 8_000);

export function App({ words }: { words: Words }) {
  const [{ queries, router }] = useState(() => {
    const queries = new QueryClient({
      defaultOptions: {
        queries: {
          staleTime: 10_000,
          retryDelay: waits,
          // A refusal stays one; a system that is coming back is worth another try.
          retry: (failures, error) =>
            failures < 4 &&
            error instanceof Problem &&
            (error.status === 0 || error.status === 503),
        },
      },
    });
    const router = makeRouter(queries);
    onSignedOut(() => {
      const { pathname, href } = router.state.location;
      if (pathname === "/sign-in") return;
      queries.clear();
      void router.navigate({ to: "/sign-in", search: { next: href }, replace: true });
    });
    return { queries, router };
  });
  return (
    <WordsProvider first={words}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </WordsProvider>
  );
}
