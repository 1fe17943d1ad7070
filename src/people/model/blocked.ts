// Values that programs send where they know nobody. Whoever has one is nobody in particular: it joins no two people.
const words = new Set(
  `null undefined none nil nan unknown anonymous anon guest visitor test tester testing user username userid user_id
  id uid n/a na n\\a - -- . ? 0 00 000 0000 00000 000000 -1 true false yes no empty blank default admin root system
  string example demo dummy fake foo bar void (null) <null> [null] [none] {} [] [object] [object:object]
  not_available not_applicable not_set notset (not set) unset anonymous_user anonymoususer test@test.com
  test@example.com none@none.com noemail@example.com no@email.com na@na.com a@a.com 未知 无 空 匿名 游客 测试 暂无`
    .split(/\s+/)
    .concat("[object object]", "(not set)", "not available", "not applicable", "no email"),
);
/** All of one digit, whatever is between: 00000000-0000-0000-0000-000000000000, 000-000, 11111111111. */
const oneDigit = /^[^\da-z]*(?:(0)[^\da-z]*)+$|^[^\da-z]*([0-9f])(?:[^\da-z]*\2){7,}[^\da-z]*$/i;

/** Does a value say nothing of who somebody is? */
export function saysNobody(value: string): boolean {
  const plain = value.normalize("NFKC").trim().toLowerCase();
  return plain === "" || words.has(plain) || oneDigit.test(plain);
}
