/** Bodies as the official documentation prints them. */

const PRINTED_ANSWER =
  "我是通義千問,阿里巴巴集團旗下的通義實驗室自主研發的超大規模語言模型。我可以協助你回答問題、創作文字,比如寫故事、寫公文、寫郵件、寫劇本、邏輯推理、編程等等,還能表達觀點,玩遊戲等。如果你有任何問題或需要協助,歡迎隨時告訴我!";

export { PRINTED_ANSWER };

/** Text-generation overview, 10 Dec 2025: curl, OpenAI compatible. */
export const OVERVIEW_OPENAI = `{
    "choices": [
        {
            "message": {
                "role": "assistant",
                "content": "${PRINTED_ANSWER}"
            },
            "finish_reason": "stop",
            "index": 0,
            "logprobs": null
        }
    ],
    "object": "chat.completion",
    "usage": {
        "prompt_tokens": 26,
        "completion_tokens": 66,
        "total_tokens": 92
    },
    "created": 1726127645,
    "system_fingerprint": null,
    "model": "qwen-plus",
    "id": "chatcmpl-81951b98-28b8-9659-ab07-xxxxxx"
}`;

/** Text-generation overview, 10 Dec 2025: curl, DashScope. */
export const OVERVIEW_DASHSCOPE = `{
    "output": {
        "choices": [
            {
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "${PRINTED_ANSWER}"
                }
            }
        ]
    },
    "usage": {
        "total_tokens": 92,
        "output_tokens": 66,
        "input_tokens": 26
    },
    "request_id": "09dceb20-ae2e-999b-85f9-xxxxxx"
}`;
