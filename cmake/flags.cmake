# The warnings, hardening and sanitizers that every target of the project is built with.
add_library(steadycache_flags INTERFACE)
target_compile_definitions(steadycache_flags INTERFACE _GNU_SOURCE
	STEADYCACHE_VERSION="${PROJECT_VERSION}")
target_compile_options(steadycache_flags INTERFACE
	-Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
	-Wwrite-strings -Wvla -Wformat=2 -Wnull-dereference -fno-strict-overflow
	-fvisibility=hidden -fno-semantic-interposition)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	target_compile_options(steadycache_flags INTERFACE -Wlogical-op -Wduplicated-cond)
endif()

if(SANITIZER STREQUAL "address")
	set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(SANITIZER STREQUAL "thread")
	set(sanitize -fsanitize=thread -fno-omit-frame-pointer)
elseif(SANITIZER STREQUAL "fuzzer") # the programs of tests/fuzz add libFuzzer's main()
	set(sanitize -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
elseif(NOT SANITIZER STREQUAL "")
	message(FATAL_ERROR "SANITIZER is '${SANITIZER}'; it takes address, thread, fuzzer or nothing")
endif()
if(sanitize)
	target_compile_options(steadycache_flags INTERFACE ${sanitize})
	target_link_options(steadycache_flags INTERFACE ${sanitize})
endif()

# base/invariant.h
if(sanitize OR CMAKE_BUILD_TYPE STREQUAL "Debug")
	target_compile_definitions(steadycache_flags INTERFACE STEADYCACHE_INVARIANTS)
endif()

set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT sanitize)
	target_compile_options(steadycache_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
		-fstack-protector-strong)
	target_link_options(steadycache_flags INTERFACE -Wl,-z,relro,-z,now)
	set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")
endif()
