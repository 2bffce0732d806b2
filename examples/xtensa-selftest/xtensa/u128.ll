; Division of 128 bits. LLVM hands the second operand of such a call over where the callee that rustc
; compiles does not look for it (compiler-builtins, `extern "C"`), so that its quotients are wrong and
; nothing says so. These take the place of those, and hand pointers over, of which both think alike.
target datalayout = "e-m:e-p:32:32-i8:8:32-i16:16:32-i64:64-n32"
target triple = "xtensa-none-elf"

; quotient, remainder, dividend, divisor
declare void @xtensa_divide(ptr, ptr, ptr, ptr)

define i128 @__udivti3(i128 %a, i128 %b) #0 {
  %pa = alloca i128, align 16
  %pb = alloca i128, align 16
  %q = alloca i128, align 16
  %r = alloca i128, align 16
  store i128 %a, ptr %pa, align 16
  store i128 %b, ptr %pb, align 16
  call void @xtensa_divide(ptr %q, ptr %r, ptr %pa, ptr %pb)
  %v = load i128, ptr %q, align 16
  ret i128 %v
}

define i128 @__umodti3(i128 %a, i128 %b) #0 {
  %pa = alloca i128, align 16
  %pb = alloca i128, align 16
  %q = alloca i128, align 16
  %r = alloca i128, align 16
  store i128 %a, ptr %pa, align 16
  store i128 %b, ptr %pb, align 16
  call void @xtensa_divide(ptr %q, ptr %r, ptr %pa, ptr %pb)
  %v = load i128, ptr %r, align 16
  ret i128 %v
}

; With a sign: that of the quotient is the product of both, that of the remainder the dividend's.
define i128 @__divti3(i128 %a, i128 %b) #0 {
  %sa = ashr i128 %a, 127
  %sb = ashr i128 %b, 127
  %xa = xor i128 %a, %sa
  %xb = xor i128 %b, %sb
  %ua = sub i128 %xa, %sa
  %ub = sub i128 %xb, %sb
  %q = call i128 @__udivti3(i128 %ua, i128 %ub)
  %s = xor i128 %sa, %sb
  %x = xor i128 %q, %s
  %v = sub i128 %x, %s
  ret i128 %v
}

define i128 @__modti3(i128 %a, i128 %b) #0 {
  %sa = ashr i128 %a, 127
  %sb = ashr i128 %b, 127
  %xa = xor i128 %a, %sa
  %xb = xor i128 %b, %sb
  %ua = sub i128 %xa, %sa
  %ub = sub i128 %xb, %sb
  %r = call i128 @__umodti3(i128 %ua, i128 %ub)
  %x = xor i128 %r, %sa
  %v = sub i128 %x, %sa
  ret i128 %v
}

attributes #0 = { "target-features"="+density,+windowed,+mul16,+mul32,+div32,+nsa,+sext,+minmax,+clamps,+threadptr" }
