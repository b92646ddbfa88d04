# Tests that are Python modules and drive the real programs: each is one ctest, independent of all others.
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

# Under sanitizers, a test does less and waits longer.
set(python_test_environment MAILDIRSYNC_BIN=${CMAKE_BINARY_DIR}/bin PYTHONDONTWRITEBYTECODE=1)
set(python_test_patience 1)
if(MAILDIRSYNC_SANITIZE)
  set(python_test_patience 4)
  list(APPEND python_test_environment MAILDIRSYNC_E2E_SANITIZED=1 MAILDIRSYNC_E2E_PATIENCE=${python_test_patience}
    MAILDIRSYNC_E2E_SCALE=0.3 MAILDIRSYNC_E2E_SECONDS=8
    "ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1" "TSAN_OPTIONS=exitcode=66:second_deadlock_stack=1")
endif()

# maildirsync_python_test(FOLDER NAME TIMEOUT seconds [FANOTIFY] [OLD_KERNEL] [ON file-system...] [VARIANT variant] [LABELS label...]
#   [ENVIRONMENT variable=value...])
#
# runs test_NAME.py of the current folder as FOLDER.NAME, with FOLDER among its labels. "sanitized" marks those that the sanitizer presets
# run too (ctest -L sanitized), "slow" those that only scripts/test --all runs.
#   FANOTIFY    once more with the fanotify watcher, as FOLDER.NAME.fanotify
#   OLD_KERNEL  once more where the kernel has none of the newer system calls, as FOLDER.NAME.old_kernel
#   ON          once more on each of these file systems, as FOLDER.NAME.<file system>
#   VARIANT     under the name FOLDER.NAME.VARIANT, with ENVIRONMENT
function(maildirsync_python_test folder name)
  cmake_parse_arguments(ARG "FANOTIFY;OLD_KERNEL" "TIMEOUT;VARIANT" "LABELS;ENVIRONMENT;ON" ${ARGN})
  math(EXPR timeout "${ARG_TIMEOUT} * ${python_test_patience}")
  set(variants plain ${ARG_ON})
  if(ARG_FANOTIFY)
    list(APPEND variants fanotify)
  endif()
  if(ARG_OLD_KERNEL)
    list(APPEND variants old_kernel)
  endif()
  foreach(variant IN LISTS variants)
    set(test ${folder}.${name})
    if(ARG_VARIANT)
      string(APPEND test .${ARG_VARIANT})
    endif()
    set(environment ${python_test_environment} ${ARG_ENVIRONMENT})
    if(NOT variant STREQUAL "plain")
      string(APPEND test .${variant})
    endif()
    if(variant STREQUAL "fanotify")
      list(APPEND environment MAILDIRSYNC_E2E_WATCH=fanotify)
    elseif(variant STREQUAL "old_kernel")
      list(APPEND environment MAILDIRSYNC_E2E_WITHOUT=all)
    elseif(NOT variant STREQUAL "plain")
      list(APPEND environment MAILDIRSYNC_TEST_FILE_SYSTEM=${variant})
    endif()
    add_test(NAME ${test} COMMAND Python3::Interpreter -B -m unittest -v test_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(${test} PROPERTIES LABELS "${folder};${ARG_LABELS}" TIMEOUT ${timeout} ENVIRONMENT "${environment}")
  endforeach()
endfunction()
