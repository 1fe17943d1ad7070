import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, call, type Answer, type Call } from "./call.ts";

/** A read, kept for as long as the page shows it. Input that is undefined waits. */
export function useCall<I extends object, O>(
  to: Call<I, O>,
  input: I | undefined,
  { refetchMs }: { refetchMs?: number } = {},
): UseQueryResult<O> {
  return useQuery({
    queryKey: [to.path, input],
    queryFn: ({ signal }) => call(to, input!, { signal }),
    enabled: input !== undefined,
    ...(refetchMs ? { refetchInterval: refetchMs } : {}),
  });
}

export type Self = Answer<typeof api.access.whoAmI>;
export const selfQuery = {
  queryKey: [api.access.whoAmI.path, "self"],
  queryFn: () => call(api.access.whoAmI, {}),
  staleTime: 5 * 60_000,
};
export const useSelf = (): Self | undefined => useQuery(selfQuery).data;
/** May the one who is signed in do this? While it is not known yet: no. */
export const useMay = () => {
  const permissions = useSelf()?.permissions;
  return (permission: string): boolean => permissions?.includes(permission) ?? false;
};

/** The shop's clock, zone and freshness. A minute old at most, because every page states it. */
export const houseQuery = {
  queryKey: [api.insights.readHouse.path],
  queryFn: () => call(api.insights.readHouse, {}),
  staleTime: 30_000,
  refetchInterval: 60_000,
};
