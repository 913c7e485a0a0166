/* SPDX-License-Identifier: Apache-2.0
 * test_peft_patterns.c -- the regular expressions of target_modules and rank_pattern match as in Python, or are
 * refused. */
#include "peft_dirs.h"

START_TEST(patterns_match_or_are_refused)
{
    /* end: the pattern may also match the end of a dotted name */
    static const struct { const char *pattern, *text; bool end, matches; } row[] = {
        { "abc", "abc", false, true }, { "abc", "abcd", false, false }, { "abc", "xabc", false, false },
        { ".*\\.qkv", "blocks.0.attn.qkv", false, true }, { ".*\\.qkv", "blocksqkv", false, false },
        { "blocks\\.\\d+\\.attn\\.(qkv|proj)", "blocks.11.attn.proj", false, true },
        { "blocks\\.\\d\\.attn\\.(qkv|proj)", "blocks.11.attn.proj", false, false },
        { "blocks\\.[0-3]\\..*", "blocks.3.mlp.fc1", false, true },
        { "blocks\\.[^0-3]\\..*", "blocks.3.mlp.fc1", false, false },
        { "[]a-c\\d]+", "]7b", false, true }, { "(?:a|b)*c?", "abab", false, true },
        { "(?:a|b)*c?", "ababcc", false, false },
        { "a?a?a?aaa", "aaa", false, true }, { "(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false, true },
        { "(a|aa)+", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false, false },
        { ".*?fc[12]", "x.fc2", false, true },
        { "", "", false, true }, { "", "a", false, false }, { "a|", "", false, true }, { "a+b", "b", false, false },
        { "attn.q", "blocks.0.attn.q", true, true }, { "ttn.q", "blocks.0.attn.q", true, false },
        { "attn.q", "blocks.0.attn.q.x", true, false }, { "q|k", "attn.k", true, true },
        { "blocks.1.q", "blocks.11.q", true, false },
        { "^blocks.0.attn.q", "blocks.0.attn.q", true, true }, { "^attn.q", "blocks.0.attn.q", true, false },
        { "^attn.q|q", "blocks.0.attn.q", true, true }, { "q$", "attn.q", true, true }, { "q$x", "attn.qx", true,
                                                                                          false },
        { "^a$", "a", false, true }, { "(^a)+", "aa", false, false } };
    bool matches;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        OK((row[i].end ? pf_peft_match_end : pf_peft_match_whole)(row[i].pattern, row[i].text, &matches));
        ck_assert_msg(matches == row[i].matches, "pattern %s %s %s", row[i].pattern,
                      matches ? "matches" : "does not match", row[i].text);
    }
    static const char *const bad[][2] = {
        { "a\\w", "'\\w'" }, { "^*a", "repeat" }, { "a$+", "repeat" }, { "a{2}", "'{'" }, { "(?=a)", "lookahead" },
        { "(?<!a)", "lookbehind" }, { "(?P<n>a)", "'(?P'" }, { "(a", "'('" },
        { "a)", "')'" }, { "[a", "'['" }, { "[z-a]", "range" }, { "*a", "repeat" }, { "a**", "repeat" },
        { "a\\", "'\\" },
        { "a\\1", "'\\1'" }, { "x|[[:alpha:]]", "inside a class" },
        { "((((((((((((((((((a))))))))))))))))))", "deep" },
        { "(((((((.*)+.*)+.*)+.*)+.*)+.*)+.*)+b|\\s", "" } };       /* refused for too many steps or for \s, in time */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(PEFT_E_UNSUPPORTED, bad[i][1], pf_peft_match_whole(bad[i][0],
            "layers.0.attention.q_proj.xxxxxxxxxxxxxxxxxxxxx", &matches));
}
END_TEST

SUITE_MAIN("PEFT patterns", patterns_match_or_are_refused)
