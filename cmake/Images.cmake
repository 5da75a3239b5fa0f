# What reads PNG and JPEG files: without one of the two libraries Tarn is built without its part, and says so where an
# image of that kind is to be read. TARN_IMAGE_LIBRARIES are the targets to link, TARN_IMAGE_LINKS the names of the
# libraries, for programs that link the static libtarn.
set(TARN_IMAGE_LIBRARIES)
set(TARN_IMAGE_LINKS)
find_package(PNG)
find_package(JPEG)
if(PNG_FOUND)
  list(APPEND TARN_IMAGE_LIBRARIES PNG::PNG)
  list(APPEND TARN_IMAGE_LINKS png)
else()
  message(STATUS "Without libpng-dev: PNG files are not read")
endif()
if(JPEG_FOUND)
  list(APPEND TARN_IMAGE_LIBRARIES JPEG::JPEG)
  list(APPEND TARN_IMAGE_LINKS jpeg)
else()
  message(STATUS "Without libjpeg62-turbo-dev: JPEG files are not read")
endif()
