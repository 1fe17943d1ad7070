// Addresses of machines: which network they are in, and what is left of one that is cut.

/** An IP address as a number of 32 or 128 bits; null where it is none. A mapped IPv4 address is the IPv4 one. */
function addressOf(text: string): { bits: 32 | 128; value: bigint } | null {
  const plain = text
    .trim()
    .replace(/^::ffff:(?=\d+\.)/i, "")
    .replace(/%.*$/, "");
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(plain);
  if (four) {
    const parts = four.slice(1).map(Number);
    if (parts.some((part) => part > 255)) return null;
    return { bits: 32, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  if (!/^[\da-f:]+$/i.test(plain) || !plain.includes(":")) return null;
  const [head = "", tail, ...more] = plain.split("::");
  if (more.length > 0) return null;
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(8 - left.length - right.length, 0);
  const groups = [...left, ...Array.from({ length: gap }, () => "0"), ...right];
  if (groups.length !== 8 || groups.some((group) => !/^[\da-f]{1,4}$/i.test(group))) return null;
  const value = groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
  return { bits: 128, value };
}

function networkOf(text: string) {
  const [, at = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const address = addressOf(at);
  const kept = length === undefined ? address?.bits : Number(length);
  return address && kept !== undefined && kept <= address.bits ? { ...address, kept } : null;
}
/** Is this a network as "10.0.0.0/8" or "2001:db8::/32", or one address? */
export const isNetwork = (text: string): boolean => networkOf(text) !== null;

export function isWithin(address: string, networks: readonly string[]): boolean {
  const one = addressOf(address);
  if (!one) return false;
  return networks.some((text) => {
    const network = networkOf(text);
    if (!network || network.bits !== one.bits) return false;
    const rest = BigInt(network.bits - network.kept);
    return network.value >> rest === one.value >> rest;
  });
}

/** An address without its last part: the last octet of IPv4, all but the first 48 bits of IPv6; "" where it is none. */
export function cutAddress(text: string): string {
  const address = addressOf(text);
  if (!address) return "";
  const part = (shift: number, mask: bigint) => (address.value >> BigInt(shift)) & mask;
  if (address.bits === 32) return `${[24, 16, 8].map((shift) => part(shift, 255n)).join(".")}.0`;
  return `${[112, 96, 80].map((shift) => part(shift, 65_535n).toString(16)).join(":")}::`;
}
