// What a GGUF file may and may not say.
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/gguf_bytes.h"
#include "tests/model/memory_files.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

// Opens bytes as the file "m.gguf" of a host.
class GgufFile : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ModelFile>> Open(const GgufBytes& file) {
    files_.Put("m.gguf", file.bytes());
    return ModelFile::Open("m.gguf", files_.reader(), memory_);
  }
  void ExpectRefused(
      const GgufBytes& file, const std::string& sentence,
      absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const absl::Status status = Open(file).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("model \"m.gguf\": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(sentence));
  }

  Memory memory_{0};
  MemoryFiles files_;
};

// One F32 tensor of 8 values as the only content.
GgufBytes OneTensor(const std::vector<int64_t>& dims, uint32_t type,
                    uint64_t offset, size_t data_bytes) {
  GgufBytes file;
  file.Header(1, 0).Tensor("t", dims, type, offset).Data(data_bytes);
  return file;
}

TEST_F(GgufFile, ReadsEveryKindOfNumber) {
  GgufBytes file;
  file.Header(0, 10);
  file.Key("u8", 0).Put<uint8_t>(200);
  file.Key("i8", 1).Put<int8_t>(-3);
  file.Key("u16", 2).Put<uint16_t>(60000);
  file.Key("i16", 3).Put<int16_t>(-300);
  file.Key("u32", 4).Put<uint32_t>(4000000000u);
  file.Key("i32", 5).Put<int32_t>(-70000);
  file.Key("f32", 6).Put<float>(0.5f);
  file.Key("u64", 10).Put<uint64_t>(UINT64_MAX);
  file.Key("i64", 11).Put<int64_t>(INT64_MIN);
  file.Key("f64", 12).Put<double>(1e300);

  const auto model = Open(file);

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(std::get<uint64_t>(*(*model)->Find("u8")), 200u);
  EXPECT_EQ(std::get<int64_t>(*(*model)->Find("i8")), -3);
  EXPECT_EQ(std::get<uint64_t>(*(*model)->Find("u16")), 60000u);
  EXPECT_EQ(std::get<int64_t>(*(*model)->Find("i16")), -300);
  EXPECT_EQ(std::get<uint64_t>(*(*model)->Find("u32")), 4000000000u);
  EXPECT_EQ(std::get<int64_t>(*(*model)->Find("i32")), -70000);
  EXPECT_EQ(std::get<double>(*(*model)->Find("f32")), 0.5);
  EXPECT_EQ(std::get<uint64_t>(*(*model)->Find("u64")), UINT64_MAX);
  EXPECT_EQ(std::get<int64_t>(*(*model)->Find("i64")), INT64_MIN);
  EXPECT_EQ(std::get<double>(*(*model)->Find("f64")), 1e300);
}

TEST_F(GgufFile, ReadsTextsBoolsAndArrays) {
  GgufBytes file;
  file.Header(0, 5);
  file.Key("text", 8).Text("héllo");
  file.Key("bool", 7).Put<uint8_t>(1);
  file.Key("floats", 9)
      .Put<uint32_t>(6)
      .Put<uint64_t>(2)
      .Put<float>(1.5f)
      .Put<float>(-2.0f);
  file.Key("texts", 9)
      .Put<uint32_t>(8)
      .Put<uint64_t>(3)
      .Text("a")
      .Text("")
      .Text("ccc");
  file.Key("none", 9).Put<uint32_t>(8).Put<uint64_t>(0);

  const auto model = Open(file);

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*(*model)->GetString("text"), "héllo");
  EXPECT_TRUE(*(*model)->GetBool("bool"));
  const NumberArray floats = *(*model)->GetNumbers("floats");
  ASSERT_EQ(floats.size(), 2u);
  EXPECT_EQ(floats.Float(0), 1.5);
  EXPECT_EQ(floats.Int(1), -2);
  const StringArray texts = *(*model)->GetStrings("texts");
  EXPECT_EQ(texts.size(), 3u);
  EXPECT_EQ(std::vector<std::string>(texts.begin(), texts.end()),
            (std::vector<std::string>{"a", "", "ccc"}));
  EXPECT_EQ((*model)->GetStrings("none")->begin(),
            (*model)->GetStrings("none")->end());
}

TEST_F(GgufFile, ReadsVersionTwo) {
  GgufBytes file;
  file.Header(0, 1, 2).Uint32Key("a", 7);

  const auto model = Open(file);

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*(*model)->GetUint("a"), 7u);
}

TEST_F(GgufFile, PlacesTensorsInTheDataSection) {
  GgufBytes file;
  file.Header(2, 1).Uint32Key("general.alignment", 64);
  file.Tensor("first", {4, 2}, 0, 0).Tensor("second", {32}, 8, 64).Data(64, 64);
  for (int byte = 0; byte < 34; ++byte)
    file.Put<uint8_t>(static_cast<uint8_t>(byte));

  const auto model = Open(file);

  ASSERT_TRUE(model.ok()) << model.status();
  const TensorRecord* first = (*model)->FindTensor("first");
  const TensorRecord* second = (*model)->FindTensor("second");
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(first->rank, 2);
  EXPECT_EQ(first->columns(), 4);
  EXPECT_EQ(first->rows(), 2);
  EXPECT_EQ(first->bytes.size(), 32u);
  EXPECT_EQ(second->dtype, DType::kQ8_0);
  EXPECT_EQ(second->bytes.size(), 34u);
  EXPECT_EQ(second->bytes[33], 33);
  EXPECT_EQ((*model)->FindTensor("third"), nullptr);
}

TEST_F(GgufFile, RefusesVersionOne) {
  ExpectRefused(GgufBytes().Header(0, 0, 1), "GGUF version 1",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, RefusesAVersionOfTheFuture) {
  ExpectRefused(GgufBytes().Header(0, 0, 4), "GGUF version 4",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, RefusesBigEndian) {
  ExpectRefused(GgufBytes().Header(0, 0, 3u << 24), "big-endian",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, RefusesMoreTensorsThanTheFileHasRoomFor) {
  ExpectRefused(GgufBytes().Header(uint64_t{1} << 60, 0),
                "the number of tensors is 1152921504606846976");
}

TEST_F(GgufFile, RefusesMoreKeysThanTheFileHasRoomFor) {
  ExpectRefused(GgufBytes().Header(0, UINT64_MAX),
                "the number of keys is 18446744073709551615");
}

TEST_F(GgufFile, RefusesALyingArrayCountWithoutAllocating) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 9).Put<uint32_t>(6).Put<uint64_t>(uint64_t{1}
                                                               << 60);

  ExpectRefused(file,
                "key \"a\" claims an array of 1152921504606846976 values");
  EXPECT_LT(memory_.peak_bytes(), 65536u);
}

TEST_F(GgufFile, RefusesALyingCountOfStrings) {
  GgufBytes file;
  file.Header(0, 1)
      .Key("a", 9)
      .Put<uint32_t>(8)
      .Put<uint64_t>(3)
      .Text("x")
      .Text("yyyyyyy");

  ExpectRefused(file, "string 2 of key \"a\"");
}

TEST_F(GgufFile, RefusesALyingStringLength) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 8).Put<uint64_t>(UINT64_MAX - 3);

  ExpectRefused(file, "ends inside the value of key \"a\"");
}

TEST_F(GgufFile, RefusesNestedArrays) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 9).Put<uint32_t>(9).Put<uint64_t>(1).Put<uint64_t>(
      0);

  ExpectRefused(file, "key \"a\" is an array of arrays");
}

TEST_F(GgufFile, RefusesUnknownValueTypes) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 13).Put<uint64_t>(0);

  ExpectRefused(file, "key \"a\" has value type 13");
}

TEST_F(GgufFile, RefusesUnknownElementTypesOfArrays) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 9).Put<uint32_t>(77).Put<uint64_t>(0);

  ExpectRefused(file, "key \"a\" is an array of value type 77");
}

TEST_F(GgufFile, RefusesABoolThatIsNeither) {
  GgufBytes file;
  file.Header(0, 1).Key("a", 7).Put<uint8_t>(2);

  ExpectRefused(file, "key \"a\" is the bool 2");
}

TEST_F(GgufFile, RefusesAnEmptyKey) {
  ExpectRefused(GgufBytes().Header(0, 1).Uint32Key("", 1),
                "key number 0 has an empty name");
}

TEST_F(GgufFile, RefusesAKeyTwice) {
  ExpectRefused(GgufBytes().Header(0, 2).Uint32Key("a", 1).Uint32Key("a", 2),
                "key \"a\" occurs twice");
}

TEST_F(GgufFile, RefusesATensorTwice) {
  GgufBytes file;
  file.Header(2, 0).Tensor("t", {8}, 0, 0).Tensor("t", {8}, 0, 32).Data(64);

  ExpectRefused(file, "tensor \"t\" occurs twice");
}

TEST_F(GgufFile, RefusesOverlappingTensors) {
  GgufBytes file;
  file.Header(2, 0).Tensor("a", {16}, 0, 0).Tensor("b", {8}, 0, 32).Data(64);

  ExpectRefused(file, "tensor \"b\" overlaps tensor \"a\"");
}

TEST_F(GgufFile, RefusesUnalignedTensors) {
  ExpectRefused(
      OneTensor({8}, 0, 8, 64),
      "tensor \"t\" has offset 8, not a multiple of the alignment 32");
}

TEST_F(GgufFile, RefusesATensorBehindTheFile) {
  ExpectRefused(OneTensor({16}, 0, 0, 63),
                "tensor \"t\" with 64 bytes at offset 0");
}

TEST_F(GgufFile, RefusesAnOffsetThatOverflows) {
  ExpectRefused(OneTensor({8}, 0, UINT64_MAX - 31, 64),
                "tensor \"t\" with 32 bytes at offset 18446744073709551584");
}

TEST_F(GgufFile, RefusesDimensionsThatOverflow) {
  ExpectRefused(OneTensor({int64_t{1} << 32, int64_t{1} << 32}, 0, 0, 64),
                "dimensions whose product overflows");
}

TEST_F(GgufFile, RefusesNegativeDimensions) {
  ExpectRefused(OneTensor({-8}, 0, 0, 64),
                "tensor \"t\" has a dimension of -8");
}

TEST_F(GgufFile, RefusesEmptyDimensions) {
  ExpectRefused(OneTensor({8, 0}, 0, 0, 64),
                "tensor \"t\" has a dimension of 0");
}

TEST_F(GgufFile, RefusesRankFive) {
  ExpectRefused(OneTensor({1, 1, 1, 1, 1}, 0, 0, 64),
                "tensor \"t\" has rank 5");
}

TEST_F(GgufFile, RefusesRankZero) {
  ExpectRefused(OneTensor({}, 0, 0, 64), "tensor \"t\" has rank 0");
}

TEST_F(GgufFile, RefusesRowsThatAreNotWholeBlocks) {
  ExpectRefused(
      OneTensor({33, 1}, 8, 0, 64),
      "tensor \"t\" has rows of 33 values, but Q8_0 comes in blocks of 32");
}

TEST_F(GgufFile, NamesElementTypesItDoesNotRead) {
  ExpectRefused(OneTensor({256}, 16, 0, 96),
                "tensor \"t\" has element type 16 (IQ2_XXS)",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, NamesElementTypesThatWereRemoved) {
  ExpectRefused(OneTensor({256}, 4, 0, 96),
                "tensor \"t\" has element type 4 (Q4_2, removed from GGUF)",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, RefusesUnknownElementTypes) {
  ExpectRefused(OneTensor({256}, 0xffffffffu, 0, 96),
                "element type 4294967295 (unknown)",
                absl::StatusCode::kUnimplemented);
}

TEST_F(GgufFile, RefusesAnAlignmentThatIsNoPowerOfTwo) {
  ExpectRefused(GgufBytes().Header(0, 1).Uint32Key("general.alignment", 48),
                "\"general.alignment\" is 48");
}

TEST_F(GgufFile, RefusesAnAlignmentOfZero) {
  ExpectRefused(GgufBytes().Header(0, 1).Uint32Key("general.alignment", 0),
                "\"general.alignment\" is 0");
}

TEST_F(GgufFile, RefusesAnAlignmentThatIsNoNumber) {
  GgufBytes file;
  file.Header(0, 1).Key("general.alignment", 8).Text("32");

  ExpectRefused(file, "\"general.alignment\" is a string");
}

TEST_F(GgufFile, RefusesAnEmptyTensorName) {
  GgufBytes file;
  file.Header(1, 0).Tensor("", {8}, 0, 0).Data(32);

  ExpectRefused(file, "tensor number 0 has an empty name");
}

TEST_F(GgufFile, RefusesALongTensorName) {
  GgufBytes file;
  file.Header(1, 0).Tensor(std::string(65, 'n'), {8}, 0, 0).Data(32);

  ExpectRefused(file, "has a name of 65 bytes");
}

TEST_F(GgufFile, EscapesNamesInMessages) {
  GgufBytes file;
  file.Header(0, 1).Key("a\n\xff", 13);

  ExpectRefused(file.Put<uint64_t>(0), "key \"a\\n\\377\"");
}

TEST_F(GgufFile, IsRefusedWithinTheMemoryBudget) {
  GgufBytes file;
  file.Header(0, 20000);
  for (int index = 0; index < 20000; ++index)
    file.Uint32Key(absl::StrCat("key", index), 1);
  files_.Put("m.gguf", file.bytes());
  Memory small(file.bytes().size() + 100000);

  const absl::Status status =
      ModelFile::Open("m.gguf", files_.reader(), small).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

// A model split into two files, one tensor in each.
class SplitGgufFile : public ::testing::Test {
 protected:
  SplitGgufFile() {
    for (uint16_t number = 0; number < 2; ++number) {
      GgufBytes part;
      part.Header(1, number == 0 ? 4 : 3);
      part.Key("split.no", 2).Put<uint16_t>(number);
      part.Key("split.count", 2).Put<uint16_t>(2);
      part.Key("split.tensors.count", 5).Put<int32_t>(2);
      if (number == 0) part.Uint32Key("a", 5);
      part.Tensor(absl::StrCat("t", number), {8}, 0, 0).Data(32);
      files_.Put(Path(number + 1), part.bytes());
    }
  }
  static std::string Path(int number) {
    return absl::StrCat("d/m-0000", number, "-of-00002.gguf");
  }
  absl::StatusOr<std::unique_ptr<ModelFile>> Open(const std::string& path) {
    return ModelFile::Open(path, files_.reader(), memory_);
  }

  Memory memory_{0};
  MemoryFiles files_;
};

TEST_F(SplitGgufFile, JoinsItsParts) {
  const auto model = Open(Path(1));

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->tensors().size(), 2u);
  EXPECT_NE((*model)->FindTensor("t1"), nullptr);
  EXPECT_EQ(*(*model)->GetUint("a"), 5u);
  EXPECT_EQ((*model)->file_bytes(),
            files_[Path(1)].size() + files_[Path(2)].size());
}

TEST_F(SplitGgufFile, NamesTheMissingPart) {
  files_.Remove(Path(2));

  const absl::Status status = Open(Path(1)).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model \"" + Path(2) + "\": part 2 of 2 is missing"));
}

TEST_F(SplitGgufFile, TellsWhichPartToOpen) {
  EXPECT_THAT(std::string(Open(Path(2)).status().message()),
              HasSubstr("open part 1, \"" + Path(1) + "\""));
}

TEST_F(SplitGgufFile, RefusesPartsOfAnotherModel) {
  files_[Path(2)] = files_[Path(1)];

  EXPECT_THAT(std::string(Open(Path(1)).status().message()),
              HasSubstr("do not say that it is part 2 of 2"));
}

TEST_F(SplitGgufFile, RefusesANameWithoutItsNumber) {
  files_["m.gguf"] = files_[Path(1)];

  EXPECT_THAT(std::string(Open("m.gguf").status().message()),
              HasSubstr("-00001-of-00002.gguf"));
}

}  // namespace
}  // namespace specinfer
