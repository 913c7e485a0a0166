# SPDX-License-Identifier: Apache-2.0
# The self-test of blocks.sh, read by it: pages with one mistake each, and what the report of each must say; then a page
# with a block of every kind that passes. Uses $work, $root, $build, $cc and $here of blocks.sh.
tried=0
# $1 what the report must say; the page comes in on standard input.
breaks() {
    cat > "$work/page.md"
    if echo "$work/page.md" | run_pages > "$work/said"; then
        echo "passed, expected '$1':"
        cat "$work/page.md"
        exit 1
    fi
    grep -q -e "$1" "$work/said" || { echo "expected '$1', got:"; cat "$work/said"; exit 1; }
    tried=$((tried + 1))
}
breaks 'declares no kind' << 'END'
```c
int x;
```
END
breaks 'declares no kind' << 'END'
```sh skip
false
```
END
breaks 'indented code block' << 'END'
A paragraph.

    finetune --help
END
breaks 'has no end' << 'END'
```sh run
true
END
breaks 'does not compile' << 'END'
```c program
#include <peft/peft.h>
int main(void) { return peft_no_such_function(); }
```
END
breaks 'fails and prints' << 'END'
```c program
int main(void) { return 3; }
```
END
breaks 'does not compile' << 'END'
<!-- inputs: vit.safetensors -->

```c fragment=loaded
peft_model *m = peft_no_such_function(vit);
```
END
breaks 'too few blocks' << 'END'
```c fragment=own_method
typedef int state;
```
END
breaks 'is not what examples/gated_prompt.h holds' << 'END'
```c from=examples/gated_prompt.h
int not_in_that_file;
```
END
breaks 'is not what bindings/python/examples/adapt.py holds' << 'END'
```python from=bindings/python/examples/adapt.py
trainer.train()
```
END
breaks 'fails and prints' << 'END'
```sh run
finetune --no-such-flag
```
END
breaks 'fails and prints' << 'END'
<!-- inputs: busi -->

```sh short
finetune --backbone examples/data/vit_cifar10.safetensors --data busi --method no_such_method
```
END
breaks 'merge has no option --no-such-flag' << 'END'
```sh check
merge --backbone vit.safetensors --no-such-flag 3
```
END
breaks 'no program no_such_program' << 'END'
```sh check
no_such_program --help
```
END
breaks "runs no section 'no_such_section'" << 'END'
<!-- test: no_such_section -->
```sh section
true
```
END
breaks 'does not install no-such-dev' << 'END'
```text packages
cmake no-such-dev
```
END
breaks 'fails and prints' << 'END'
```cmake lists
find_package(peft REQUIRED COMPONENTS no_such_component)
```
END
breaks 'shows other output' << 'END'
```sh run
echo 1 one
```

```text output
2 one
```
END
breaks 'shows other output' << 'END'
```sh run
echo 1 one; echo two
```

```text output varying
2 one
```
END
breaks 'shows other output' << 'END'
```sh run
echo 1 one; echo two
```

```text output
...
three
...
```
END

cat > "$work/page.md" << 'END'
<!-- inputs: busi new vit.safetensors -->

```text packages
cmake
```

```c program
#include <peft/peft.h>
#include <stdio.h>
int main(void) { puts(peft_status_name(PEFT_E_SHAPE)); return 0; }
```

```text output
PEFT_E_SHAPE
```

```c file=app.c
#include <peft/peft.h>
int main(void) { return !peft_version_number(); }
```

```sh run
export PKG_CONFIG_PATH=/opt/peft/lib/pkgconfig
number=7; export number
cc app.c $(pkg-config --cflags --libs peft) -Wl,-rpath,$(pkg-config --variable=libdir peft) -o app && ./app
```

```sh run
echo number $number; echo two; echo three
```

```text output varying
number   8
...
thr...
```

```sh short
finetune --backbone vit.safetensors --data busi --shots 500 --epochs 100000 --method linear --out a.safetensors
```

```sh check
git clone https://example.org/libpeft && cmake -G Ninja -S . -B build && cmake --install build --prefix /opt/peft
apt-get install cmake
```

```cmake lists
find_package(peft REQUIRED)
target_link_libraries(app PRIVATE peft::peft)
```

```text formula
y = x
```
END
echo "$work/page.md" | run_pages || { echo "the page without a mistake does not pass"; exit 1; }
echo "$tried mistakes of pages are found"
